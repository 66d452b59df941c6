// SPDX-License-Identifier: Apache-2.0
//
// FUSE can be mounted by anybody, in a user namespace, and so can overlayfs on top of it: of those
// nothing is asked that they could leave without an answer.  Their attributes are taken as the
// kernel has them, and what kind of file system it is shows in the handles that the kernel makes of
// its files by itself.  The others are mounted by the machine's operator.
#include "base/fd_served.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <linux/magic.h>

enum {
    // The kernel's types of handles, include/linux/exportfs.h.
    HANDLE_INO64_GEN = 0x81, // FUSE; of file systems that lie on a device also XFS
    HANDLE_INO64_GEN_PARENT = 0x82,
    HANDLE_OVERLAY = 0xf8, // and those behind
};

static bool
has_served_magic(int fd)
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

// Whether a file that lies on no device of its own has a handle as none of FUSE has.
static bool
has_other_handle(int fd)
{
    union {
        struct file_handle handle;
        char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } made;
    int mount_id;

    memset(&made, 0, sizeof(made));
    made.handle.handle_bytes = MAX_HANDLE_SZ;
    return name_to_handle_at(fd, "", &made.handle, &mount_id, AT_EMPTY_PATH) == 0 &&
           made.handle.handle_type != HANDLE_INO64_GEN &&
           made.handle.handle_type != HANDLE_INO64_GEN_PARENT &&
           (made.handle.handle_type & 0xff) < HANDLE_OVERLAY;
}

bool
fd_is_served_by_others(int fd)
{
    struct statx st;

    // Memory of this machine, which is what guests have: tmpfs, memfd_create(2), huge pages.
    if (fcntl(fd, F_GET_SEALS) >= 0) {
        return false;
    }
    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) != 0) {
        return errno == EACCES || has_served_magic(fd);
    }
    // What is done with others (eventfds, sockets, pipes, devices) is not the file system's.
    if (!S_ISREG(st.stx_mode) && !S_ISDIR(st.stx_mode)) {
        return false;
    }
    return (st.stx_dev_major == 0 && !has_other_handle(fd)) || has_served_magic(fd);
}
