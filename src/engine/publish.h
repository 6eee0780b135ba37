/* publish.h - the engine's own topics (lathe-probes(7)): every sample goes to the bus and, before anything
 * can be dropped, into the recording. */
#ifndef ENGINE_PUBLISH_H
#define ENGINE_PUBLISH_H
#include "engine/bus.h"
#include "engine/lathe.h"
#include "probe/record.h"

/* Larger probe values are not sent but counted: one of them would hold up all others. */
enum { PUBLISH_BYTES_MAX = 8 << 20 };
typedef struct Publish {
	Bus *bus;
	Record *record;       /* NULL: none */
	char *record_path;
	Err record_error;     /* why the last recording ended early */
	uint64_t too_large;
} Publish;

/* Stamps the time and sends. Data is only read during the call. */
void publish_sample(Publish *p, Sample *s);
void publish_text(Publish *p, const char *topic, uint64_t step, const Buf *json);
/* A probe of lathe.h: floats become F32, ints I32, step = position. */
void publish_probe(Publish *p, const LatheProbe *x);

/* Starts a recording with what late viewers would be told. */
bool publish_record(Publish *p, const char *path, Err *e);
bool publish_record_stop(Publish *p, Err *e);
void publish_flush(Publish *p);
/* Resident bytes of this process; 0 where /proc does not tell. */
int64_t publish_rss(void);

/* Text of tokens as they come: bytes of a character cut by a token's end are held back for the next. */
enum { PIECE_HELD = 4 };
typedef struct Piece { char held[PIECE_HELD]; size_t n; } Piece;
/* Appends the text that is complete with this token, as it is: JSON writing makes U+FFFD of what is no UTF-8.
 * Without a tokenizer it is the id in brackets. */
void piece_push(Piece *p, const LatheModel *m, int32_t id, Buf *out);

/* Appends a token's text as it is shown by itself: bytes that are only a part of a character as <E4>. False: it has such. */
bool publish_alone(const LatheModel *m, int32_t id, Buf *out);

/* gen.token. t may hold only id and position (known false) for given tokens without a record. */
typedef struct TokenNote { const LatheToken *t; bool given, known; const char *text; } TokenNote;
void publish_token(Publish *p, const LatheModel *m, const TokenNote *n);

typedef struct StatsNote {
	LatheStats s;
	double decode_rate, seconds;
	const int64_t *accepted_at;
	int n_accepted;
} StatsNote;
/* gen.stats and kv.bytes, at position step. */
void publish_stats(Publish *p, uint64_t step, const StatsNote *n);
#endif
