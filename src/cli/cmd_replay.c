/* cmd_replay.c - a recording, on the screen or as text; no engine needed. */
#include "base/utf8.h"
#include "cli/runs_beside.h"
#include "cli/stream_report.h"
#include "cli/workbench.h"
#include "probe/record.h"
#include <string.h>

enum { VALUES_MAX = 1 << 20 };

static void put_values(Jout *j, const Sample *x, int64_t values)
{
	unsigned bits = dtype_bits(x->dtype);
	size_t n = x->bytes / (bits / 8);
	jout_key(j, "values");
	jout_arr(j);
	for (size_t i = 0; i < n && (int64_t)i < values; i++)
		jout_num(j, sample_num(x, i));
	jout_end_arr(j);
}

static void put_sample(Jout *j, const Sample *x, int64_t values)
{
	jout_kstr(j, "topic", x->topic);
	jout_kint(j, "step", (int64_t)x->step);
	jout_knum(j, "time", x->time);
	if (x->kind == SAMPLE_TEXT) {
		jout_key(j, "text");
		jout_strn(j, x->data, x->bytes);
		return;
	}
	jout_kstr(j, "dtype", dtype_name(x->dtype));
	jout_key(j, "shape");
	jout_arr(j);
	for (int i = 0; i < x->rank; i++)
		jout_int(j, x->shape[i]);
	jout_end_arr(j);
	put_values(j, x, values);
}

static void put_frame(Buf *out, const Frame *f, int64_t values)
{
	static const char *const kind[] = { "hello", "sample", "command", "reply", "drops", "bye" };
	Jout j;
	jout_init(&j, out);
	jout_obj(&j);
	jout_kstr(&j, "frame", kind[f->kind - FRAME_HELLO]);
	if (f->kind == FRAME_SAMPLE) {
		put_sample(&j, &f->sample, values);
	} else {
		jout_key(&j, "text");
		jout_strn(&j, f->text, f->text_len);
	}
	jout_end_obj(&j);
	buf_addc(out, '\n');
}

/* One line a frame, written as they are read: a recording may be larger than memory. */
static int replay_json(const char *path, int64_t values, Err *e)
{
	RecordReader *r = record_open(path, e);
	if (!r)
		return err_exit(e);
	Buf b = BUF_INIT;
	Frame f;
	bool torn = false, ok = true;
	int more;
	while (ok && (more = record_next(r, &f, &torn, e)) > 0) {
		put_frame(&b, &f, values);
		if (b.len > 64 << 10) {
			ok = cli_out(&b, e);
			buf_clear(&b);
		}
	}
	if (ok && b.len > 0)
		cli_out(&b, e);
	buf_done(&b);
	record_done(r);
	return err_exit(e);
}

static int replay_store(const Args *a, const char *path, Err *e)
{
	Store *s = store_new((size_t)args_int(a, "keep", (int64_t)512 << 20));
	bool torn = false;
	if (!s) {
		err_set(e, E_5001, "%s: out of memory for a recording", path);
		return err_exit(e);
	}
	int status = 0;
	bool ok = true;
	for (int i = 1; ok && i < args_count(a); i++)
		ok = runs_beside(s, args_at(a, i), e);
	if (ok && record_load(path, s, &torn, e)) {
		if (workbench_caps(a).screen && !args_has(a, "text")) {
			status = workbench_run(a, NULL, false, s, e);
		} else {
			Buf b = BUF_INIT;
			stream_report(s, path, torn, &b);
			cli_out(&b, e);
			buf_done(&b);
		}
	}
	store_free(s);
	return e->code ? err_exit(e) : status;
}

static int replay_run(const Args *a, Err *e)
{
	int64_t values = args_int(a, "values", 16), keep = args_int(a, "keep", 1 << 20);
	if (values < 0 || values > VALUES_MAX)
		err_set(e, E_2003, "replay: --values %lld: 0 to %d", (long long)values, VALUES_MAX);
	else if (keep < 1 << 20 || keep > (int64_t)1 << 40)
		err_set(e, E_2003, "replay: --keep: 1M to 1024G");
	else
		return args_has(a, "json") ? replay_json(args_at(a, 0), values, e)
					   : replay_store(a, args_at(a, 0), e);
	return err_exit(e);
}

static const Opt opts[] = {
	OPT_SCREEN,
	{ "text", 0, OPT_FLAG, NULL, "print the summary even on a terminal" },
	{ "values", 0, OPT_INT, "N", "with --json: at most so many numbers of a tensor (default 16)" },
	{ "keep", 0, OPT_SIZE, "SIZE",
		"memory for samples; of a larger recording the oldest are dropped (default 512M)" },
	{ 0 },
};
static const char *const examples[] = { "lathe replay run.rec", "lathe replay run.rec --text",
	"lathe replay run.rec --json --values 0", NULL };

const Cmd cmd_replay = {
	.name = "replay",
	.usage = "FILE [FILE...]",
	.summary = "a recording on the screen, or its summary",
	.text = "Reads a recording made by the record command of the workbench or by `lathe record`. On a "
		"terminal it opens the screen on it, which can "
		"then go back and forth in time. Without one it prints what the recording holds: topics, "
		"counts, the time covered, the text.\n\n"
		"With --json each frame becomes one line: frame, topic, step, time, and text, or dtype, "
		"shape and values. Of further files, recordings of training runs, the losses are drawn beside those of the first. A frame cut at the end, as a crash leaves "
		"it, is dropped.",
	.opts = opts,
	.examples = examples,
	.min_args = 1,
	.max_args = 9,
	.run = replay_run,
};
