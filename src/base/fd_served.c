// SPDX-License-Identifier: Apache-2.0
#include "base/fd_served.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/vfs.h>

#include <linux/magic.h>

bool
fd_is_served_by_others(int fd)
{
    static const uint32_t magics[] = {FUSE_SUPER_MAGIC, NFS_SUPER_MAGIC, CIFS_SUPER_MAGIC,
                                      SMB2_SUPER_MAGIC, V9FS_MAGIC,      CEPH_SUPER_MAGIC,
                                      AFS_SUPER_MAGIC,  CODA_SUPER_MAGIC};
    struct statfs fs;
    bool is_known = fstatfs(fd, &fs) == 0;

    for (size_t i = 0; is_known && i < sizeof(magics) / sizeof(magics[0]); i++) {
        if ((uint32_t)fs.f_type == magics[i]) {
            return true;
        }
    }
    return false;
}
