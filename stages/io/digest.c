#include "io/digest.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/die.h"
#include "base/memory.h"

struct digest {
    EVP_MD_CTX *context;
};

struct digest *digest_create(void)
{
    struct digest *digest = memory_zeroed(1, sizeof(*digest));
    digest->context = EVP_MD_CTX_new();
    if (!digest->context || !EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL))
        die("cannot start a SHA-256 digest: %s refused", digest_library());
    return digest;
}

void digest_add(struct digest *digest, const void *bytes, size_t n)
{
    if (n > 0 && !EVP_DigestUpdate(digest->context, bytes, n))
        die("cannot digest %zu bytes: %s refused", n, digest_library());
}

void digest_finish(struct digest *digest, char text[DIGEST_SIZE])
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    if (!EVP_DigestFinal_ex(digest->context, hash, &size))
        die("cannot finish a SHA-256 digest: %s refused", digest_library());
    BUG_IF(size != 32);
    int at = snprintf(text, DIGEST_SIZE, "sha256:");
    for (unsigned int i = 0; i < size; i++)
        at += snprintf(text + at, (size_t)(DIGEST_SIZE - at), "%02x", hash[i]);
    digest_free(digest);
}

void digest_free(struct digest *digest)
{
    if (!digest)
        return;
    EVP_MD_CTX_free(digest->context);
    free(digest);
}

void digest_of(const void *bytes, size_t n, char text[DIGEST_SIZE])
{
    struct digest *digest = digest_create();
    digest_add(digest, bytes, n);
    digest_finish(digest, text);
}

bool digest_read_file(const char *path, char text[DIGEST_SIZE])
{
    char bytes[1 << 16];
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    struct digest *digest = digest_create();
    for (size_t n; (n = fread(bytes, 1, sizeof(bytes), file)) > 0;)
        digest_add(digest, bytes, n);
    bool whole = !ferror(file);
    fclose(file);
    digest_finish(digest, text);
    return whole;
}

const char *digest_library(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}
