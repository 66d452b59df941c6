// SPDX-License-Identifier: Apache-2.0
//
// By plain system calls: the relay links nothing but the C library.  In this order: Landlock opens
// directories, capabilities are dropped while that is still possible, the filter comes last.
#include "relay/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ARCH 0 // Their runtimes have system calls of their own.
#elif defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#define ARCH 0
#endif

// --- system calls --------------------------------------------------------------------------

enum rule { ANY, ARG_IS, ARG_LACKS };

// A system call that stays: whatever its arguments, when one of them is 'value', or when one lacks
// the bits of 'value'.  Where there are several for one number, each is tried.
struct allowed {
    unsigned int nr;
    enum rule rule;
    unsigned int arg;
    uint32_t value;
};

static const struct allowed allowed[] = {
    // What it does all day.
    {SYS_ppoll, ANY, 0, 0},
    {SYS_recvmsg, ANY, 0, 0},
    {SYS_recvfrom, ANY, 0, 0},
    {SYS_sendmsg, ANY, 0, 0},
    {SYS_sendto, ANY, 0, 0},
    {SYS_accept4, ANY, 0, 0},
    {SYS_setsockopt, ANY, 0, 0},
    {SYS_write, ANY, 0, 0},
    {SYS_close, ANY, 0, 0},
    {SYS_fcntl, ARG_IS, 1, F_DUPFD_CLOEXEC},
    {SYS_fcntl, ARG_IS, 1, F_GET_SEALS},
    {SYS_unlinkat, ANY, 0, 0},
#ifdef SYS_poll // and others that newer machines have in one form only
    {SYS_poll, ANY, 0, 0},
    {SYS_unlink, ANY, 0, 0},
    {SYS_rmdir, ANY, 0, 0},
    {SYS_readlink, ANY, 0, 0},
#endif
    {SYS_fstatfs, ANY, 0, 0},
    {SYS_statx, ANY, 0, 0},
    {SYS_readlinkat, ANY, 0, 0},
    {SYS_getsockopt, ANY, 0, 0},
    {SYS_getpeername, ANY, 0, 0},
    {SYS_ioctl, ARG_IS, 1, FIONREAD},
    {SYS_shutdown, ANY, 0, 0},
    {SYS_name_to_handle_at, ANY, 0, 0},
    // What the C library does for it.
    {SYS_clock_gettime, ANY, 0, 0},
    {SYS_clock_nanosleep, ANY, 0, 0},
    {SYS_nanosleep, ANY, 0, 0},
    {SYS_brk, ANY, 0, 0},
    {SYS_mmap, ARG_LACKS, 2, PROT_EXEC},
    {SYS_mprotect, ARG_LACKS, 2, PROT_EXEC},
    {SYS_munmap, ANY, 0, 0},
    {SYS_mremap, ANY, 0, 0},
    {SYS_madvise, ANY, 0, 0},
    {SYS_getrandom, ANY, 0, 0},
    {SYS_futex, ANY, 0, 0},
    {SYS_rt_sigreturn, ANY, 0, 0},
    {SYS_rt_sigprocmask, ANY, 0, 0},
    {SYS_restart_syscall, ANY, 0, 0},
    {SYS_exit, ANY, 0, 0},
    {SYS_exit_group, ANY, 0, 0},
};

enum { N_ALLOWED = sizeof(allowed) / sizeof(allowed[0]), MAX_PROGRAM = 6 + 5 * N_ALLOWED };

struct program {
    struct sock_filter code[MAX_PROGRAM];
    unsigned short n;
};

static void
add(struct program *p, uint16_t code, uint32_t k, uint8_t if_true, uint8_t if_false)
{
    p->code[p->n++] = (struct sock_filter){code, if_true, if_false, k};
}

static void
load(struct program *p, size_t offset)
{
    add(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

// The low half of an argument: what is looked at here has 32 bits for the kernel, too.
static size_t
offset_of_arg(unsigned int arg)
{
    size_t low = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : sizeof(uint32_t);

    return offsetof(struct seccomp_data, args) + arg * sizeof(uint64_t) + low;
}

static void
add_allowed(struct program *p, const struct allowed *a)
{
    if (a->rule == ANY) {
        add(p, BPF_JMP | BPF_JEQ | BPF_K, a->nr, 0, 1);
        add(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
        return;
    }
    add(p, BPF_JMP | BPF_JEQ | BPF_K, a->nr, 0, 4);
    load(p, offset_of_arg(a->arg));
    if (a->rule == ARG_IS) {
        add(p, BPF_JMP | BPF_JEQ | BPF_K, a->value, 0, 1);
    } else {
        add(p, BPF_JMP | BPF_JSET | BPF_K, a->value, 1, 0);
    }
    add(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    load(p, offsetof(struct seccomp_data, nr));
}

static int
filter_syscalls(void)
{
    struct program p = {.n = 0};

    load(&p, offsetof(struct seccomp_data, arch));
    add(&p, BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
    add(&p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
    load(&p, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < N_ALLOWED; i++) {
        add_allowed(&p, &allowed[i]);
    }
    add(&p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);

    const struct sock_fprog prog = {.len = p.n, .filter = p.code};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0 ? 0 : -errno;
}

// --- files ---------------------------------------------------------------------------------

enum { ALL_OF_FIRST_ABI = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1 };

// Lets files of the directory that is 'levels' above 'path' be removed, or directories of it.
static int
permit_removal(int ruleset, const char *path, unsigned int levels, uint64_t access)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = access};
    char dir[256];

    if (strlen(path) >= sizeof(dir)) {
        return -ENAMETOOLONG;
    }
    strcpy(dir, path);
    for (; levels > 0; levels--) {
        char *slash = strrchr(dir, '/');
        if (slash == NULL || slash == dir) {
            return -EINVAL;
        }
        *slash = '\0';
    }
    rule.parent_fd = open(dir, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0) {
        return -errno;
    }
    long result = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    int error = result == 0 ? 0 : -errno;
    close(rule.parent_fd);
    return error;
}

static int
limit_files(const char *const paths[])
{
    const struct landlock_ruleset_attr attr = {.handled_access_fs = ALL_OF_FIRST_ABI};
    // The oldest form of the structure: newer kernels know it, too.
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(uint64_t), 0);
    int error = 0;

    if (ruleset < 0) {
        // EPERM: a container's filter that was written before Landlock was.
        return errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM ? 0 : -errno;
    }
    for (size_t i = 0; error == 0 && paths[i] != NULL; i++) {
        error = permit_removal(ruleset, paths[i], 1, LANDLOCK_ACCESS_FS_REMOVE_FILE);
    }
    if (error == 0 && paths[0] != NULL) {
        error = permit_removal(ruleset, paths[0], 2, LANDLOCK_ACCESS_FS_REMOVE_DIR);
    }
    if (error == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
        error = -errno;
    }
    close(ruleset);
    return error;
}

// --- capabilities --------------------------------------------------------------------------

static int
drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};

    // The bounding set needs a capability that we may lack; with no_new_privs it gives nothing.
    for (unsigned long cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++) {
    }
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); // follows from the next one
    return syscall(SYS_capset, &header, none) == 0 ? 0 : -errno;
}

// --- others ---------------------------------------------------------------------------------

void
relay_leave_parent(void)
{
    signal(SIGPIPE, SIG_IGN);
    // Who ends the switch with its whole group means the switch: we end when it does not come back.
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    pid_t pid = fork();
    if (pid != 0) {
        _exit(pid > 0 ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    (void)setsid(); // Fails only for a leader of a group, which a new child is not.
}

struct relay_kept
relay_confine(const char *const paths[])
{
    struct relay_kept kept;
    int privileges = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : -errno;

    kept.files = limit_files(paths);
    kept.capabilities = drop_capabilities();
    kept.capabilities = kept.capabilities != 0 ? kept.capabilities : privileges;
    kept.syscalls = ARCH != 0 ? filter_syscalls() : 0;
    return kept;
}
