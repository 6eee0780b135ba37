/* test_frame.c - the frame codec: what goes in comes out, and no byte sequence makes it read past what is
 * there. */
#include "base/rng.h"
#include "probe/sample.h"
#include "tests/unit.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const float rows[6] = { 1, 2, 3, 4, 5, 6 };

static Sample tensor_sample(void)
{
	return (Sample){ .topic = "layers.3.moe.weights",
		.kind = SAMPLE_TENSOR,
		.step = 41,
		.time = 0.25,
		.dtype = DT_F32,
		.rank = 2,
		.shape = { 2, 3 },
		.data = rows,
		.bytes = sizeof rows };
}

/* A copy that ends where the bytes end, so that a sanitizer sees each byte read behind them. */
static long take_exact(const char *p, size_t n, Frame *f, Err *e)
{
	char *copy = malloc(n ? n : 1);
	memcpy(copy, p, n);
	long r = frame_take(copy, n, f, e);
	if (r > 0) {
		assert_true((size_t)r <= n);
		const char *from = f->kind == FRAME_SAMPLE ? f->sample.data : f->text;
		size_t bytes = f->kind == FRAME_SAMPLE ? f->sample.bytes : f->text_len;
		assert_true(from >= copy && from + bytes <= copy + n);
		if (f->kind == FRAME_SAMPLE)
			assert_true(strlen(f->sample.topic) <= SAMPLE_TOPIC_MAX);
	}
	free(copy);
	return r;
}

TEST(frame_sample_round_trip)
{
	Buf b = BUF_INIT;
	Sample s = tensor_sample();
	frame_put_sample(&b, &s);
	assert_false(b.failed);
	Frame f;
	Err e = { 0 };
	assert_int_equal(frame_take(b.s, b.len, &f, &e), b.len);
	assert_int_equal(f.kind, FRAME_SAMPLE);
	assert_string_equal(f.sample.topic, s.topic);
	assert_int_equal(f.sample.step, 41);
	assert_true(f.sample.time == 0.25);
	assert_int_equal(f.sample.dtype, DT_F32);
	assert_int_equal(f.sample.rank, 2);
	assert_int_equal(f.sample.shape[1], 3);
	assert_int_equal(f.sample.bytes, sizeof rows);
	assert_memory_equal(f.sample.data, rows, sizeof rows);
	assert_true(sample_num(&f.sample, 5) == 6.0);
	assert_true(isnan(sample_num(&f.sample, 6)));
	assert_int_equal(sample_rows(&f.sample), 2);
	buf_done(&b);
}

TEST(frame_text_and_empty_shapes)
{
	Buf b = BUF_INIT;
	Sample s = { .topic = "gen.token", .kind = SAMPLE_TEXT, .data = "{}", .bytes = 2 };
	frame_put_sample(&b, &s);
	s = (Sample){ .topic = "empty",
		.kind = SAMPLE_TENSOR,
		.dtype = DT_I32,
		.rank = 2,
		.shape = { 0, 4000000000u },
		.data = "" };
	frame_put_sample(&b, &s);
	frame_put_text(&b, FRAME_COMMAND, "{\"cmd\":\"quit\"}", 14);
	assert_false(b.failed);
	Frame f;
	Err e = { 0 };
	long a = frame_take(b.s, b.len, &f, &e);
	assert_int_equal(f.sample.bytes, 2);
	assert_memory_equal(f.sample.data, "{}", 2);
	long c = frame_take(b.s + a, b.len - (size_t)a, &f, &e);
	assert_int_equal(f.sample.bytes, 0);
	long d = frame_take(b.s + a + c, b.len - (size_t)(a + c), &f, &e);
	assert_int_equal(f.kind, FRAME_COMMAND);
	assert_int_equal(f.text_len, 14);
	assert_int_equal((size_t)(a + c + d), b.len);
	buf_done(&b);
}

TEST(frame_bytes_are_as_documented)
{
	/* lathe-stream(5) gives this frame byte by byte; the format must not change silently. */
	static const unsigned char want[] = { 0x4c, 0x46, 0x02, 0x00, 0x22, 0x00, 0x00, 0x00, 0xc8, 0x05,
		0xa3, 0x24, 0x01, 0x07, 0x01, 0x01, 0x09, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x00, 0xf8, 0x3f, 0x02, 0x00, 0x00, 0x00, 0x78, 0x00, 0x07, 0x00,
		0x00, 0x00, 0xff, 0xff, 0xff, 0xff };
	const int32_t v[2] = { 7, -1 };
	Sample s = { .topic = "x",
		.kind = SAMPLE_TENSOR,
		.step = 9,
		.time = 1.5,
		.dtype = DT_I32,
		.rank = 1,
		.shape = { 2 },
		.data = v,
		.bytes = 8 };
	Buf b = BUF_INIT;
	frame_put_sample(&b, &s);
	assert_int_equal(b.len, sizeof want);
	assert_memory_equal(b.s, want, sizeof want);
	buf_done(&b);
}

TEST(frame_cut_at_every_byte)
{
	Buf b = BUF_INIT;
	Sample s = tensor_sample();
	frame_put_sample(&b, &s);
	frame_put_text(&b, FRAME_REPLY, "{\"id\":1,\"ok\":true}", 18);
	Frame f;
	for (size_t n = 0; n < b.len; n++) {
		Err e = { 0 };
		long r = take_exact(b.s, n, &f, &e);
		assert_true(r == 0 || (size_t)r <= n);
		assert_int_equal(e.code, 0);
	}
	buf_done(&b);
}

TEST(frame_every_flipped_bit_is_refused_or_waited_for)
{
	Buf b = BUF_INIT;
	Sample s = tensor_sample();
	frame_put_sample(&b, &s);
	for (size_t bit = 0; bit < 8 * b.len; bit++) {
		b.s[bit / 8] ^= (char)(1 << bit % 8);
		Frame f;
		Err e = { 0 };
		long r = take_exact(b.s, b.len, &f, &e);
		/* A flip in the kind alone leaves a well-formed frame of another kind, which has no samples
		 * in it. */
		if (r > 0)
			assert_true(bit / 8 == 2 && f.kind != FRAME_SAMPLE);
		else
			assert_true(r == 0 || (e.code >= 3180 && e.code <= 3182));
		b.s[bit / 8] ^= (char)(1 << bit % 8);
	}
	buf_done(&b);
}

/* A frame with a right checksum around any body. */
static void wrap(Buf *b, int kind, const char *body, size_t n)
{
	buf_clear(b);
	frame_put_text(b, FRAME_COMMAND, body, n);
	b->s[2] = (char)kind;
}

TEST(frame_random_bodies_never_read_past)
{
	Buf good = BUF_INIT, b = BUF_INIT;
	Sample s = tensor_sample();
	frame_put_sample(&good, &s);
	Rng r = rng_make(11, 7);
	for (int round = 0; round < 20000; round++) {
		char body[160];
		size_t n = good.len - 12;
		memcpy(body, good.s + 12, n);
		for (uint32_t k = rng_below(&r, 4); k > 0; k--)
			body[rng_below(&r, (uint32_t)n)] = (char)rng_below(&r, 256);
		n = rng_below(&r, 3) ? n : rng_below(&r, (uint32_t)n + 1);
		wrap(&b, FRAME_SAMPLE, body, n);
		Frame f;
		Err e = { 0 };
		long got = take_exact(b.s, b.len, &f, &e);
		assert_true(got == (long)b.len || (got == -1 && e.code >= 3180 && e.code <= 3182));
	}
	buf_done(&good);
	buf_done(&b);
}

TEST(frame_random_bytes)
{
	Rng r = rng_make(3, 1);
	for (int round = 0; round < 20000; round++) {
		char p[64];
		size_t n = rng_below(&r, sizeof p);
		for (size_t i = 0; i < n; i++)
			p[i] = (char)rng_below(&r, 256);
		if (n > 3 && rng_below(&r, 2))
			memcpy(p, "LF\2", 4);
		Frame f;
		Err e = { 0 };
		assert_true(take_exact(p, n, &f, &e) <= 0);
	}
}

TEST(frame_lengths_are_not_believed)
{
	char p[12] = { 'L', 'F', 2, 0, '\xff', '\xff', '\xff', '\x7f' };
	Frame f;
	Err e = { 0 };
	assert_int_equal(frame_take(p, sizeof p, &f, &e), -1);
	assert_int_equal(e.code, E_3182);
	e = (Err){ 0 };
	assert_int_equal(frame_take("X", 1, &f, &e), -1);
	assert_int_equal(e.code, E_3181);
	e = (Err){ 0 };
	assert_int_equal(frame_take("LF\x07", 3, &f, &e), -1);
	assert_int_equal(e.code, E_3181);
}

TEST(frame_refuses_what_it_could_not_read)
{
	const struct { const char *topic; double time; int rank; uint32_t shape; size_t bytes;
	} bad[] = {
		{ "", 0, 1, 6, 24 },
		{ "a b", 0, 1, 6, 24 },
		{ "x\n", 0, 1, 6, 24 },
		{ "x", NAN, 1, 6, 24 },
		{ "x", -1, 1, 6, 24 },
		{ "x", INFINITY, 1, 6, 24 },
		{ "x", 0, 5, 1, 24 },
		{ "x", 0, -1, 6, 4 },
		{ "x", 0, 1, 5, 24 },
		{ "x", 0, 1, 1u << 31, 24 },
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		Buf b = BUF_INIT;
		Err e = { 0 };
		Sample s = { .topic = bad[i].topic,
			.kind = SAMPLE_TENSOR,
			.time = bad[i].time,
			.dtype = DT_F32,
			.rank = bad[i].rank,
			.shape = { bad[i].shape },
			.data = rows,
			.bytes = bad[i].bytes };
		assert_false(sample_check(&s, &e));
		assert_int_equal(e.code, E_3181);
		frame_put_sample(&b, &s);
		assert_true(b.failed);
		assert_int_equal(b.len, 0);
		buf_done(&b);
	}
	char longest[SAMPLE_TOPIC_MAX + 2];
	memset(longest, 'x', sizeof longest);
	longest[SAMPLE_TOPIC_MAX + 1] = '\0';
	Sample s = { .topic = longest, .kind = SAMPLE_TEXT, .data = "" };
	assert_false(sample_check(&s, NULL));
	longest[SAMPLE_TOPIC_MAX] = '\0';
	assert_true(sample_check(&s, NULL));
}

TEST(sample_num_of_every_type)
{
	const int8_t i8 = -3;
	const int16_t i16 = -300;
	const int64_t i64 = INT64_MIN;
	const uint64_t u64 = UINT64_MAX;
	const uint8_t u8 = 200;
	const double f64 = 1e300;
	const uint16_t bf = 0x3fc0, half = 0xc000;
	const struct { Dtype d; const void *p; size_t n; double want;
	} c[] = {
		{ DT_I8, &i8, 1, -3 },
		{ DT_I16, &i16, 2, -300 },
		{ DT_I64, &i64, 8, -0x1p63 },
		{ DT_U64, &u64, 8, 0x1p64 },
		{ DT_U8, &u8, 1, 200 },
		{ DT_F64, &f64, 8, 1e300 },
		{ DT_BF16, &bf, 2, 1.5 },
		{ DT_F16, &half, 2, -2 },
	};
	for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
		Sample s = { .topic = "x",
			.kind = SAMPLE_TENSOR,
			.dtype = c[i].d,
			.rank = 1,
			.shape = { 1 },
			.data = c[i].p,
			.bytes = c[i].n };
		assert_true(sample_check(&s, NULL));
		assert_true(sample_num(&s, 0) == c[i].want);
	}
	Sample text = { .topic = "x", .kind = SAMPLE_TEXT, .data = "12", .bytes = 2 };
	assert_true(isnan(sample_num(&text, 0)));
}
