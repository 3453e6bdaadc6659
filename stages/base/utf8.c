#include "base/utf8.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

/* Bytes of the character that starts so; 0: none does. */
static int length_of(unsigned char first)
{
    return first < 0x80             ? 1
           : (first & 0xe0) == 0xc0 ? 2
           : (first & 0xf0) == 0xe0 ? 3
           : (first & 0xf8) == 0xf0 ? 4
                                    : 0;
}

bool utf8_valid(const char *text)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        int length = length_of(*at);
        uint32_t code = length > 1 ? *at & (0x7fu >> length) : *at;
        at++;
        for (int i = 1; i < length; i++, at++) {
            if ((*at & 0xc0) != 0x80)
                return false;
            code = code << 6 | (*at & 0x3f);
        }
        if (length == 0 || code < least[length] || code > 0x10ffff ||
            (code >= 0xd800 && code <= 0xdfff))
            return false;
    }
    return true;
}

char *utf8_escaped(const char *text)
{
    char *escaped = memory_zeroed(4 * strlen(text) + 1, 1), *to = escaped;
    for (const unsigned char *at = (const unsigned char *)text; *at; at++)
        to += *at < 0x80 ? sprintf(to, "%c", *at) : sprintf(to, "\\x%02X", *at);
    return escaped;
}
