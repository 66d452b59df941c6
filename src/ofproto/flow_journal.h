/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow_journal.h - a bridge's flows, groups and meters in a log in memory (base/memlog.h) that a
 * keeper holds as well (base/keep.h), for the process that comes after a crash.
 *
 * Whatever changes tables, groups or meters says so here; a transaction's changes are in the log,
 * as one block, when flow_txn_commit() returns, and so before anybody is told that they are done.
 * The log is written anew when half of it is about what is no longer there.  Without a
 * journal (ofproto_journal_start()) everything here does nothing.  Main thread.
 *
 * The records of a block, integers in network byte order, "v" a number of 7 bits a byte, low first:
 *
 *   SHAPE      u8 n, n * (u8 word, u64 mask)      the next number of a mask of struct flow
 *   ACTIONS    v size, OpenFlow 1.5 instructions   the next number of a list of actions
 *   FLOW       u8 table, u8 FLOW_JOURNAL_*, u16 priority, what the bits say in the order of the
 *              bits, v shape, v actions, the bytes of the flow that the mask is not zero for
 *                                                  the next number of a flow
 *   FLOW_TIMES v flow, u16 idle, u16 hard, u64 modified
 *   FLOW_DEL   v flow
 *   GROUP      u32 id, v size, an OpenFlow 1.5 group-mod; in place of what has this id
 *   GROUP_DEL  u32 id
 *   METER      u32 id, v size, an OpenFlow 1.5 meter-mod
 *   METER_DEL  u32 id
 *   TLV_MAP    u32 0, v size, an OpenFlow 1.5 NXT_TLV_TABLE_MOD that adds all; in place of the last
 *
 * Numbers begin with 1.  'modified' is clock_now_ms() of the last modification, which hard timeouts
 * count from: the clock is the machine's.
 */
#ifndef OFPROTO_FLOW_JOURNAL_H
#define OFPROTO_FLOW_JOURNAL_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct flow_txn;
struct ofp_group;
struct ofp_meter_config;
struct ofproto;
struct rule;

enum flow_journal_record {
    FLOW_JOURNAL_SHAPE = 1,
    FLOW_JOURNAL_ACTIONS,
    FLOW_JOURNAL_FLOW,
    FLOW_JOURNAL_FLOW_TIMES,
    FLOW_JOURNAL_FLOW_DEL,
    FLOW_JOURNAL_GROUP,
    FLOW_JOURNAL_GROUP_DEL,
    FLOW_JOURNAL_METER,
    FLOW_JOURNAL_METER_DEL,
    FLOW_JOURNAL_TLV_MAP,
};

/* What a FLOW says beside the least. */
#define FLOW_JOURNAL_COOKIE32 0x01u
#define FLOW_JOURNAL_COOKIE64 0x02u
#define FLOW_JOURNAL_FLAGS 0x04u      /* u16 */
#define FLOW_JOURNAL_IMPORTANCE 0x08u /* u16 */
#define FLOW_JOURNAL_TIMES 0x10u      /* u16 idle, u16 hard, u64 modified */
#define FLOW_JOURNAL_ALL 0x1fu

/* Words of the log's header (memlog_note()). */
enum { FLOW_JOURNAL_NOTE_RESTORES, FLOW_JOURNAL_NOTE_CONTEXT };

/* Of this build: the words of a flow are part of it. */
uint64_t flow_journal_format(void);

/* Which flows are numbered, of rules that have been in a journal at all. */
enum { FLOW_JOURNAL_MAX_FLOWS = (1 << 24) - 1 };

/* --- writing: flow_journal.c --- */

/* The transaction's version is published. */
void flow_journal_txn(const struct flow_txn *);
/* Timeouts or the time of modification are others. */
void flow_journal_times(struct rule *);
/* In force from now on; NULL: gone. */
void flow_journal_group(struct ofproto *, uint32_t id, const struct ofp_group *);
void flow_journal_meter(struct ofproto *, uint32_t id, const struct ofp_meter_config *);
/* The map of tunnel options is another.  It, groups and meters are in the log with the next
 * transaction, or the call that ends a change that has none. */
void flow_journal_tlv_map(struct ofproto *);
void flow_journal_commit(struct ofproto *);
/* How the bridge is governed (connmgr_context()). */
void flow_journal_context(struct ofproto *, uint32_t context);
/* Once a second. */
void flow_journal_run(struct ofproto *);

/* --- reading: flow_journal_read.c.  Any thread --- */

/* First with NULL: the log is sound.  Then one message that makes the TLV map, a meter, a group or
 * a flow, in this order; 'modified_ms' is 0 but for flows with a hard timeout. */
typedef void flow_journal_fn(const uint8_t *msg, size_t size, int64_t modified_ms, void *aux);

/* Reads all of the file before the first call of 'cb'.  0, or a negative errno: nothing was called.
 * '*n_lost' is how many were too long for a message. */
int flow_journal_read(const void *data, size_t size, flow_journal_fn *cb, void *aux,
                      size_t *n_lost);

#endif /* ofproto/flow_journal.h */
