/* sample.h - one value of one topic at one step: what the engine tells, a recording keeps and a screen shows.
 *
 * Topic = probe name ("layers.3.moe.topk") or a dotted name of the engine ("gen.token"). For per-token probes
 * step is the position of the first row and row i belongs to position step + i; a later sample for the same
 * position replaces it. */
#ifndef PROBE_SAMPLE_H
#define PROBE_SAMPLE_H
#include "base/buf.h"
#include "base/err.h"
#include "num/dtype.h"

enum { SAMPLE_MAXRANK = 4, SAMPLE_TOPIC_MAX = 255, SAMPLE_BYTES_MAX = 64 << 20 };
typedef enum SampleKind { SAMPLE_TENSOR = 1, SAMPLE_TEXT = 2 /* UTF-8, often one JSON object */ } SampleKind;
typedef struct Sample {
	const char *topic;
	SampleKind kind;
	uint64_t step;
	double time;              /* seconds since the stream began */
	Dtype dtype;              /* F32, F16, BF16, I32, U8 ... little-endian payload */
	int rank;
	uint32_t shape[SAMPLE_MAXRANK];
	const void *data;
	size_t bytes;
} Sample;
/* False with E_318x unless topic (1 to 255 printable ASCII characters without '"' and '\\'), time (finite, >=
 * 0), type, shape and bytes fit together. */
bool sample_check(const Sample *s, Err *e);
/* Positions covered: shape[0] of a tensor of rank 2 or more, else 1. */
int64_t sample_rows(const Sample *s);
/* The i-th value as double from any dtype; NaN when out of range or text. */
double sample_num(const Sample *x, size_t i);

/* --- frames: the same bytes on the socket and in a recording; lathe-stream(5) --- */
typedef enum FrameKind {
	FRAME_HELLO = 1,
	FRAME_SAMPLE = 2,
	FRAME_COMMAND = 3,
	FRAME_REPLY = 4,
	FRAME_DROPS = 5,
	FRAME_BYE = 6
} FrameKind;
typedef struct Frame {
	FrameKind kind;
	Sample sample; /* FRAME_SAMPLE */
	const char *text;
	size_t text_len; /* others: JSON */
} Frame;
enum { FRAME_MAX = SAMPLE_BYTES_MAX + 4096, STREAM_VERSION = 1 };
/* Appends an encoded frame; what sample_check refuses (or a text above FRAME_MAX) sets b->failed instead. */
void frame_put_sample(Buf *b, const Sample *s);
void frame_put_text(Buf *b, FrameKind kind, const char *json, size_t n);
/* Takes one frame from the front of (p, n): returns bytes used, 0 when incomplete, -1 with e (E_318x) when
 * malformed. Pointers in *f point into p. Every length is checked before it is believed. */
long frame_take(const char *p, size_t n, Frame *f, Err *e);
/* Magic + version at the start of a recording file. */
extern const char stream_magic[8];
#endif
