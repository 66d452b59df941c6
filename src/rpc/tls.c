// SPDX-License-Identifier: Apache-2.0
/*
 * TLS settings: key, certificate and CA files become an SSL_CTX, rebuilt when a file changes, so
 * that certificates are renewed without a restart.  Both ends verify each other.
 *
 * Bootstrap: a client without a CA file trusts the first server, saves the CA at the end of its
 * chain, and drops that one connection; the next is verified.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/log.h"
#include "rpc/stream_private.h"

LOG_MODULE(stream_ssl);

enum { FILE_KEY, FILE_CERT, FILE_CA, FILE_PEER_CA, N_FILES };

struct tls_config {
    unsigned int n_refs;
    char *files[N_FILES]; /* NULL: not given */
    struct timespec mtimes[N_FILES];
    char *protocols;
    char *ciphers;
    bool bootstrap;
    SSL_CTX *ctx;
    bool bootstrapping; /* 'ctx' trusts anybody until a CA is saved. */
};

char *
tls_error_text(void)
{
    unsigned long code = ERR_get_error();
    char text[256] = "unknown TLS error";

    if (code != 0) {
        ERR_error_string_n(code, text, sizeof(text));
    }
    ERR_clear_error();
    return xstrdup(text);
}

static const struct {
    const char *name;
    int version;
    unsigned long no_flag;
} versions[] = {
    {"TLSv1", TLS1_VERSION, SSL_OP_NO_TLSv1},
    {"TLSv1.1", TLS1_1_VERSION, SSL_OP_NO_TLSv1_1},
    {"TLSv1.2", TLS1_2_VERSION, SSL_OP_NO_TLSv1_2},
    {"TLSv1.3", TLS1_3_VERSION, SSL_OP_NO_TLSv1_3},
};

static char *
set_protocols(SSL_CTX *ctx, const char *protocols)
{
    unsigned long off = 0;
    char *error = NULL;
    char *save = NULL;
    bool any = false;

    if (protocols == NULL || protocols[0] == '\0') {
        SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        off |= versions[i].no_flag;
    }
    char *copy = xstrdup(protocols);
    for (char *word = strtok_r(copy, " ,\t", &save); word != NULL && error == NULL;
         word = strtok_r(NULL, " ,\t", &save)) {
        size_t i = 0;
        while (i < ARRAY_SIZE(versions) && strcasecmp(word, versions[i].name) != 0) {
            i++;
        }
        if (i == ARRAY_SIZE(versions)) {
            error = xasprintf("%s: unknown TLS protocol", word);
        } else {
            off &= ~versions[i].no_flag;
            any = true;
        }
    }
    free(copy);
    if (error == NULL && !any) {
        error = xstrdup("no TLS protocol given");
    }
    SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
    SSL_CTX_set_options(ctx, off);
    return error;
}

/* Sends the certificates of 'file' behind ours, for peers that bootstrap. */
static char *
add_chain(SSL_CTX *ctx, const char *file)
{
    FILE *stream = fopen(file, "re");
    X509 *cert;

    if (stream == NULL) {
        return xasprintf("%s: %s", file, err_str(errno));
    }
    while ((cert = PEM_read_X509(stream, NULL, NULL, NULL)) != NULL) {
        if (SSL_CTX_add_extra_chain_cert(ctx, cert) != 1) {
            X509_free(cert);
            break;
        }
    }
    fclose(stream);
    ERR_clear_error();
    return NULL;
}

static char *
load_files(struct tls_config *tls, SSL_CTX *ctx, bool *bootstrapping)
{
    char *error = NULL;

    if (SSL_CTX_use_PrivateKey_file(ctx, tls->files[FILE_KEY], SSL_FILETYPE_PEM) != 1) {
        char *text = tls_error_text();
        error = xasprintf("private key %s: %s", tls->files[FILE_KEY], text);
        free(text);
    } else if (SSL_CTX_use_certificate_chain_file(ctx, tls->files[FILE_CERT]) != 1) {
        char *text = tls_error_text();
        error = xasprintf("certificate %s: %s", tls->files[FILE_CERT], text);
        free(text);
    } else if (SSL_CTX_check_private_key(ctx) != 1) {
        ERR_clear_error();
        error = xasprintf("private key %s does not belong to certificate %s", tls->files[FILE_KEY],
                          tls->files[FILE_CERT]);
    } else if (tls->bootstrap && access(tls->files[FILE_CA], F_OK) != 0 && errno == ENOENT) {
        *bootstrapping = true;
    } else if (strcmp(tls->files[FILE_CA], "none") == 0) {
        log_warn("peer certificates are not verified: the CA certificate is \"none\"");
        return NULL;
    } else if (SSL_CTX_load_verify_locations(ctx, tls->files[FILE_CA], NULL) != 1) {
        char *text = tls_error_text();
        error = xasprintf("CA certificate %s: %s", tls->files[FILE_CA], text);
        free(text);
    } else {
        SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(tls->files[FILE_CA]));
    }
    if (error == NULL) {
        SSL_CTX_set_verify(ctx,
                           *bootstrapping ? SSL_VERIFY_NONE
                                          : SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                           NULL);
        if (tls->files[FILE_PEER_CA] != NULL) {
            error = add_chain(ctx, tls->files[FILE_PEER_CA]);
        }
    }
    return error;
}

static void
read_mtimes(const struct tls_config *tls, struct timespec mtimes[N_FILES])
{
    for (int i = 0; i < N_FILES; i++) {
        struct stat st;
        mtimes[i] =
            tls->files[i] && stat(tls->files[i], &st) == 0 ? st.st_mtim : (struct timespec){0, 0};
    }
}

/* Makes 'ctx' from the files.  On failure the old one, if any, stays.  Returns NULL or a new text.
 */
static char *
build(struct tls_config *tls)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    bool bootstrapping = false;

    if (ctx == NULL) {
        return tls_error_text();
    }
    read_mtimes(tls, tls->mtimes);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    char *error = set_protocols(ctx, tls->protocols);
    if (error == NULL && tls->ciphers != NULL && SSL_CTX_set_cipher_list(ctx, tls->ciphers) != 1) {
        ERR_clear_error();
        error = xasprintf("%s: no usable cipher", tls->ciphers);
    }
    if (error == NULL) {
        error = load_files(tls, ctx, &bootstrapping);
    }
    if (error != NULL) {
        SSL_CTX_free(ctx);
        return error;
    }
    SSL_CTX_free(tls->ctx);
    tls->ctx = ctx;
    tls->bootstrapping = bootstrapping;
    return NULL;
}

struct tls_config *
tls_config_create(const struct tls_settings *settings, char **error)
{
    if (settings->private_key_file == NULL || settings->certificate_file == NULL ||
        settings->ca_cert_file == NULL) {
        *error = xstrdup("private key, certificate and CA certificate must all be configured");
        return NULL;
    }
    struct tls_config *tls = xzalloc(sizeof(*tls));
    tls->n_refs = 1;
    tls->files[FILE_KEY] = xstrdup(settings->private_key_file);
    tls->files[FILE_CERT] = xstrdup(settings->certificate_file);
    tls->files[FILE_CA] = xstrdup(settings->ca_cert_file);
    tls->files[FILE_PEER_CA] = xstrdup_null(settings->peer_ca_cert_file);
    tls->protocols = xstrdup_null(settings->protocols);
    tls->ciphers = xstrdup_null(settings->ciphers);
    tls->bootstrap = settings->bootstrap_ca_cert;
    *error = build(tls);
    if (*error != NULL) {
        tls_config_unref(tls);
        return NULL;
    }
    return tls;
}

struct tls_config *
tls_config_ref(struct tls_config *tls)
{
    tls->n_refs++;
    return tls;
}

void
tls_config_unref(struct tls_config *tls)
{
    if (tls == NULL || --tls->n_refs > 0) {
        return;
    }
    SSL_CTX_free(tls->ctx);
    for (int i = 0; i < N_FILES; i++) {
        free(tls->files[i]);
    }
    free(tls->protocols);
    free(tls->ciphers);
    free(tls);
}

SSL *
tls_config_new_ssl(struct tls_config *tls, bool server, char **error)
{
    struct timespec now[N_FILES];

    read_mtimes(tls, now);
    if (memcmp(now, tls->mtimes, sizeof(now)) != 0) {
        char *text = build(tls);
        if (text != NULL) {
            log_warn("TLS files changed but cannot be used, keeping the old ones: %s", text);
            free(text);
        }
    }
    if (server && tls->bootstrapping) {
        *error = xstrdup("the CA certificate is missing; only a client can bootstrap it");
        return NULL;
    }
    SSL *ssl = SSL_new(tls->ctx);
    if (ssl == NULL) {
        *error = tls_error_text();
    }
    return ssl;
}

static int
save_ca(const char *path, X509 *cert)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    FILE *stream = fd >= 0 ? fdopen(fd, "w") : NULL;

    if (stream == NULL) {
        return -errno;
    }
    int ok = PEM_write_X509(stream, cert);
    if (fclose(stream) != 0 || ok != 1) {
        unlink(path);
        return -EIO;
    }
    return 0;
}

int
tls_config_check_peer(struct tls_config *tls, SSL *ssl, char **error)
{
    if (!tls->bootstrapping) {
        return 0;
    }
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
    X509 *ca =
        chain && sk_X509_num(chain) > 0 ? sk_X509_value(chain, sk_X509_num(chain) - 1) : NULL;
    if (ca == NULL || X509_check_issued(ca, ca) != X509_V_OK) {
        *error = xstrdup("the peer did not send a self-signed CA certificate to bootstrap from");
        return -EPROTO;
    }
    int result = save_ca(tls->files[FILE_CA], ca);
    if (result != 0 && result != -EEXIST) {
        *error = xasprintf("could not save the CA certificate as %s: %s", tls->files[FILE_CA],
                           err_str(result));
        return -EPROTO;
    }
    log_info("saved the peer's CA certificate as %s", tls->files[FILE_CA]);
    *error = build(tls);
    if (*error != NULL) {
        return -EPROTO;
    }
    *error = xstrdup("connects again to verify the peer with its CA certificate");
    return -EAGAIN;
}
