/*
 * decode.h - the bytes of a JPEG or PNG file become pixels.
 *
 * Told apart by their first bytes, not by a name: ImageNet has a PNG named .JPEG. What
 * is there besides RGB is taken as the usual loaders take it: grey becomes three equal
 * channels (or colour one grey channel), CMYK and YCCK are inverted where Adobe's mark
 * says so, 16 bits become 8, transparency is dropped. An orientation in Exif is not
 * applied, for the accuracies that are published were reached without.
 *
 * A decoder keeps its memory from picture to picture. One thread at a time.
 */
#ifndef IO_DECODE_H
#define IO_DECODE_H

#include <stdbool.h>
#include <stddef.h>

#include "io/resize.h"

/* No picture that is decoded has more pixels: what claims to is damaged, or worse. */
enum { DECODE_PIXELS_MAX = 1 << 28 };

struct decoder;
struct decoder *decoder_create(void);
void decoder_free(struct decoder *decoder); /* NULL is allowed */

/*
 * Looks at the header; the bytes are used until the pixels were read. Returns NULL or
 * why not ("it is neither ..."), a text of the decoder's, valid until its next call.
 */
const char *decoder_begin(struct decoder *decoder, const unsigned char *bytes, size_t n,
                          int *height, int *width);

/*
 * After decoder_begin(): the part of the picture that `window` touches, with 1 or 3
 * channels; NULL: all of it. A JPEG is decoded to 1/2, 1/4 or 1/8 of its size, which
 * is quicker, as long as the window keeps the given size; *window becomes its place in
 * the smaller picture. The pixels are the decoder's, valid until its next call.
 */
const char *decoder_read(struct decoder *decoder, int channels, struct window *window,
                         int height, int width, struct picture *picture);

/* What was wrong with the data that decoder_read() decoded, and was guessed at by the
 * library; NULL: nothing. */
const char *decoder_damage(struct decoder *decoder);

/*
 * After decoder_begin(), in place of decoder_read(): whether all of it decodes. What a
 * decoder fills in with grey (a file that ends too early, damaged data) is broken here;
 * decoder_read() leaves that to whoever checked before.
 */
const char *decoder_check(struct decoder *decoder);

#endif
