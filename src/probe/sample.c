/* sample.c - the frame codec: the same bytes on a socket and in a recording, described in lathe-stream(5).
 *
 * Decoding trusts nothing: a frame is looked at only when it is whole, its checksum holds, and every count
 * inside it has been compared with the bytes that are really there. Numbers are little-endian whatever the
 * machine. */
#include "probe/sample.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

const char stream_magic[8] = { '\x89', 'L', 'A', 'T', 'H', 'E', STREAM_VERSION, '\n' };

/* Header: 'L' 'F' kind 0, u32 body length, u32 Adler-32 of the body. */
enum { HEAD = 12, SAMPLE_HEAD = 20, ADLER_BASE = 65521, ADLER_RUN = 5552 };

/* Types have their own numbers in the stream, so that the order of Dtype is free to change. */
static const struct { uint8_t wire; Dtype dtype;
} wire_types[] = {
	{ 1, DT_F32 },
	{ 2, DT_F64 },
	{ 3, DT_F16 },
	{ 4, DT_BF16 },
	{ 5, DT_I8 },
	{ 6, DT_I16 },
	{ 7, DT_I32 },
	{ 8, DT_I64 },
	{ 9, DT_U8 },
	{ 10, DT_U16 },
	{ 11, DT_U32 },
	{ 12, DT_U64 },
	{ 13, DT_BOOL },
	{ 14, DT_F8_E4M3 },
	{ 15, DT_F8_E5M2 },
};

static int wire_of(Dtype d)
{
	for (size_t i = 0; i < sizeof wire_types / sizeof wire_types[0]; i++)
		if (wire_types[i].dtype == d)
			return wire_types[i].wire;
	return 0;
}

static bool wire_parse(unsigned wire, Dtype *d)
{
	for (size_t i = 0; i < sizeof wire_types / sizeof wire_types[0]; i++)
		if (wire_types[i].wire == wire) {
			*d = wire_types[i].dtype;
			return true;
		}
	return false;
}

static void put_uint(unsigned char *p, uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}

static uint64_t get_uint(const char *s, int bytes)
{
	const unsigned char *p = (const unsigned char *)s;
	uint64_t v = 0;
	for (int i = 0; i < bytes; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

/* Adler-32 (RFC 1950), its sums reduced once a run as the largest sum that fits 32 bits allows. */
static uint32_t adler32(const void *data, size_t n)
{
	const unsigned char *p = data;
	uint32_t a = 1, b = 0;
	while (n > 0) {
		size_t run = n < ADLER_RUN ? n : ADLER_RUN;
		n -= run;
		for (; run > 0; run--) {
			a += *p++;
			b += a;
		}
		a %= ADLER_BASE;
		b %= ADLER_BASE;
	}
	return b << 16 | a;
}

static bool topic_ok(const char *s, size_t n)
{
	if (n == 0 || n > SAMPLE_TOPIC_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (s[i] <= 0x20 || s[i] >= 0x7f || s[i] == '"' || s[i] == '\\')
			return false;
	return true;
}

/* Bytes of a tensor with this shape; false when they are more than a sample may have. */
static bool shape_bytes(Dtype d, int rank, const uint32_t *shape, size_t *bytes)
{
	uint64_t n = dtype_bits(d) / 8;
	for (int i = 0; i < rank; i++)
		if (shape[i] == 0)
			n = 0;
	for (int i = 0; i < rank && n > 0; i++) {
		if (n > SAMPLE_BYTES_MAX / shape[i])
			return false;
		n *= shape[i];
	}
	*bytes = (size_t)n;
	return true;
}

bool sample_check(const Sample *s, Err *e)
{
	size_t want, len = s->topic ? strlen(s->topic) : 0;
	if (!topic_ok(s->topic, len))
		return err_set(e, E_3181,
			"sample: a topic needs 1 to %d printable ASCII characters, this has %zu",
			SAMPLE_TOPIC_MAX, len);
	if (!isfinite(s->time) || s->time < 0)
		return err_set(e, E_3181, "sample \"%s\": its time is not a number of seconds", s->topic);
	if (s->bytes > SAMPLE_BYTES_MAX)
		return err_set(e, E_3182, "sample \"%s\": %zu bytes, at most %d", s->topic, s->bytes,
			SAMPLE_BYTES_MAX);
	if (s->kind == SAMPLE_TEXT)
		return true;
	if (s->kind != SAMPLE_TENSOR || !wire_of(s->dtype))
		return err_set(e, E_3181, "sample \"%s\": unknown kind or type", s->topic);
	if (s->rank < 0 || s->rank > SAMPLE_MAXRANK || !shape_bytes(s->dtype, s->rank, s->shape, &want) ||
		want != s->bytes)
		return err_set(
			e, E_3181, "sample \"%s\": shape and %zu bytes of data disagree", s->topic, s->bytes);
	return true;
}

/* Room for the header, filled in by head_close when the body's bytes are there. */
static size_t head_open(Buf *b)
{
	size_t at = b->len;
	static const char zero[HEAD];
	buf_add(b, zero, HEAD);
	return at;
}

static void head_close(Buf *b, size_t at, FrameKind kind)
{
	if (b->failed)
		return;
	unsigned char *h = (unsigned char *)b->s + at;
	size_t body = b->len - at - HEAD;
	h[0] = 'L';
	h[1] = 'F';
	h[2] = (unsigned char)kind;
	put_uint(h + 4, body, 4);
	put_uint(h + 8, adler32(h + HEAD, body), 4);
}

void frame_put_sample(Buf *b, const Sample *s)
{
	if (!sample_check(s, NULL)) {
		b->failed = true;
		return;
	}
	bool tensor = s->kind == SAMPLE_TENSOR;
	int rank = tensor ? s->rank : 0;
	size_t at = head_open(b), topic = strlen(s->topic);
	unsigned char h[SAMPLE_HEAD + 4 * SAMPLE_MAXRANK];
	uint64_t time_bits;
	memcpy(&time_bits, &s->time, sizeof time_bits);
	h[0] = (unsigned char)s->kind;
	h[1] = (unsigned char)(tensor ? wire_of(s->dtype) : 0);
	h[2] = (unsigned char)rank;
	h[3] = (unsigned char)topic;
	put_uint(h + 4, s->step, 8);
	put_uint(h + 12, time_bits, 8);
	for (int i = 0; i < rank; i++)
		put_uint(h + SAMPLE_HEAD + 4 * i, s->shape[i], 4);
	buf_add(b, h, SAMPLE_HEAD + 4 * (size_t)rank);
	buf_add(b, s->topic, topic + 1);
	if (s->bytes > 0)
		buf_add(b, s->data, s->bytes);
	head_close(b, at, FRAME_SAMPLE);
}

void frame_put_text(Buf *b, FrameKind kind, const char *json, size_t n)
{
	if (n > FRAME_MAX - HEAD || kind == FRAME_SAMPLE) {
		b->failed = true;
		return;
	}
	size_t at = head_open(b);
	buf_add(b, json, n);
	head_close(b, at, kind);
}

/* The fixed part of a sample's body and its shape. */
static bool take_head(const char *p, size_t n, Sample *s, size_t *topic_len, Err *e)
{
	if (n < SAMPLE_HEAD)
		return err_set(e, E_3181, "frame: a sample of %zu bytes, too short for its head", n);
	*s = (Sample){ .kind = (SampleKind)(unsigned char)p[0],
		.rank = (unsigned char)p[2],
		.step = get_uint(p + 4, 8) };
	*topic_len = (unsigned char)p[3];
	uint64_t time_bits = get_uint(p + 12, 8);
	memcpy(&s->time, &time_bits, sizeof s->time);
	if (s->kind == SAMPLE_TEXT ? p[1] != 0 || s->rank != 0
				   : s->kind != SAMPLE_TENSOR || !wire_parse((unsigned char)p[1], &s->dtype))
		return err_set(e, E_3181, "frame: a sample of unknown kind %u and type %u",
			(unsigned char)p[0], (unsigned char)p[1]);
	if (s->rank > SAMPLE_MAXRANK || n < SAMPLE_HEAD + 4 * (size_t)s->rank)
		return err_set(e, E_3181, "frame: a sample of rank %d in %zu bytes", s->rank, n);
	for (int i = 0; i < s->rank; i++)
		s->shape[i] = (uint32_t)get_uint(p + SAMPLE_HEAD + 4 * i, 4);
	return true;
}

static bool take_sample(const char *p, size_t n, Sample *s, Err *e)
{
	size_t topic_len = 0;
	if (!take_head(p, n, s, &topic_len, e))
		return false;
	size_t at = SAMPLE_HEAD + 4 * (size_t)s->rank;
	if (n - at < topic_len + 1 || p[at + topic_len] != '\0' || memchr(p + at, '\0', topic_len))
		return err_set(e, E_3181, "frame: a sample's topic does not end where it says");
	s->topic = p + at;
	at += topic_len + 1;
	s->data = p + at;
	s->bytes = n - at;
	return sample_check(s, e) || err_wrap(e, "frame");
}

long frame_take(const char *p, size_t n, Frame *f, Err *e)
{
	/* What has come of the header must be right even before the rest comes: a stranger is told at once.
	 */
	if ((n > 0 && p[0] != 'L') || (n > 1 && p[1] != 'F'))
		return err_set(e, E_3181, "frame: does not begin with \"LF\"") - 1L;
	if ((n > 2 && (p[2] < FRAME_HELLO || p[2] > FRAME_BYE)) || (n > 3 && p[3] != 0))
		return err_set(e, E_3181, "frame: unknown kind %d", p[2]) - 1L;
	if (n < HEAD)
		return 0;
	uint64_t body = get_uint(p + 4, 4);
	if (body > FRAME_MAX - HEAD)
		return err_set(e, E_3182, "frame: %" PRIu64 " bytes, at most %d", body, FRAME_MAX - HEAD) -
		       1L;
	if (n - HEAD < body)
		return 0;
	if (adler32(p + HEAD, (size_t)body) != get_uint(p + 8, 4))
		return err_set(e, E_3181, "frame: its checksum does not fit its %" PRIu64 " bytes", body) -
		       1L;
	*f = (Frame){ .kind = (FrameKind)p[2] };
	if (f->kind == FRAME_SAMPLE) {
		if (!take_sample(p + HEAD, (size_t)body, &f->sample, e))
			return -1;
	} else {
		f->text = p + HEAD;
		f->text_len = (size_t)body;
	}
	return (long)(HEAD + body);
}

int64_t sample_rows(const Sample *s)
{
	return s->kind == SAMPLE_TENSOR && s->rank >= 2 ? (int64_t)s->shape[0] : 1;
}

/* The i-th number of an integer tensor. */
static double int_at(Dtype d, const char *p)
{
	unsigned bytes = dtype_bits(d) / 8;
	uint64_t v = get_uint(p, (int)bytes);
	switch (d) {
	case DT_I8:
	case DT_I16:
	case DT_I32:
	case DT_I64: {
		unsigned up = 64 - 8 * bytes;
		int64_t x;
		v <<= up;
		memcpy(&x, &v, sizeof x);
		return (double)(x / (INT64_C(1) << up));
	}
	default:
		return (double)v;
	}
}

double sample_num(const Sample *x, size_t i)
{
	unsigned bytes = x->kind == SAMPLE_TENSOR ? dtype_bits(x->dtype) / 8 : 0;
	if (bytes == 0 || i >= x->bytes / bytes)
		return NAN;
	const char *p = (const char *)x->data + i * bytes;
	if (x->dtype == DT_F64) {
		double v;
		memcpy(&v, p, sizeof v);
		return v;
	}
	if (x->dtype == DT_F32) {
		float v;
		memcpy(&v, p, sizeof v);
		return (double)v;
	}
	if (!dtype_is_float(x->dtype))
		return int_at(x->dtype, p);
	real v;
	dtype_to_real(x->dtype, p, 1, &v);
	return (double)v;
}
