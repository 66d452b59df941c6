// SPDX-License-Identifier: Apache-2.0
//
// DPDK's own log lines, taken into ours under the module "dpdk" with their levels.
#ifndef NETDEV_DPDK_LOG_H
#define NETDEV_DPDK_LOG_H

void dpdk_log_open(void);  // before rte_eal_init()
void dpdk_log_close(void); // lines go to standard error again, as DPDK has it

#endif
