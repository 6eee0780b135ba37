/* tok.h - text to token ids and back: byte-level BPE as in DeepSeek's tokenizer.json (V2 and V3 families),
 * exact with the Hugging Face tokenizers library, and a plain byte tokenizer for small self-trained models.
 * Immutable after opening; thread-safe. */
#ifndef TEXT_TOK_H
#define TEXT_TOK_H
#include "base/buf.h"
#include "base/err.h"
#include <stdint.h>
typedef struct Tok Tok;
typedef struct Ids { int32_t *id; size_t n, cap; } Ids;
void ids_done(Ids *v);
bool ids_push(Ids *v, int32_t id);

/* path: a folder with tokenizer.json, or the file. Every rule violated is one error naming file and key. */
Tok *tok_open(const char *path, Err *e);
/* 256 bytes = ids 0..255, then the special tokens given (NUL-terminated array of strings, may be NULL). */
Tok *tok_bytes(const char *const *special);
/* Writes that tokenizer as a tokenizer.json, which tok_open and the Hugging Face library read. */
bool tok_write_bytes(const char *path, const char *const *special, Err *e);
void tok_free(Tok *t);
int32_t tok_count(const Tok *t);                     /* ids are 0..count-1 */
int32_t tok_bos(const Tok *t);                       /* -1: none; from tokenizer_config.json beside it */
int32_t tok_eos(const Tok *t);
bool tok_add_bos(const Tok *t);                      /* what add_bos_token asks for */
int32_t tok_find(const Tok *t, const char *token);   /* id of an exact token text, or -1 */
/* Appends ids of s. Added tokens are recognised first. Invalid UTF-8 is taken as U+FFFD, one per maximal
 * invalid part. No BOS is added. Linear time but for one piece without a cut, which takes n log n. */
bool tok_encode(const Tok *t, const char *s, size_t n, Ids *out, Err *e);
/* Appends the bytes of one token as they are (may be part of a character). */
void tok_bytes_of(const Tok *t, int32_t id, Buf *out);
/* Appends a token's bytes as it is shown by itself: those that are only a part of a character as <E4>. False: it has such. */
bool tok_alone(const char *bytes, size_t n, Buf *out);
/* Appends text; invalid UTF-8 becomes U+FFFD, one per maximal invalid part. Ids out of range give U+FFFD. */
void tok_decode(const Tok *t, const int32_t *id, size_t n, Buf *out);
bool tok_is_special(const Tok *t, int32_t id);

/* Names of the files that a tokenizer may consist of, NULL behind the last. */
const char *const *tok_files(void);

/* Streaming: push gives what is complete, flush the rest (U+FFFD for a cut character). */
typedef struct TokStream { const Tok *t; char tail[4]; size_t n; } TokStream;
void tok_stream_init(TokStream *s, const Tok *t);
void tok_stream_push(TokStream *s, int32_t id, Buf *out);
void tok_stream_flush(TokStream *s, Buf *out);
#endif
