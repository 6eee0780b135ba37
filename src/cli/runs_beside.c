/* runs_beside.c - see runs_beside.h. */
#include "cli/runs_beside.h"
#include "probe/record.h"
#include <stdio.h>
#include <string.h>

/* "runs/a/train.rec" -> "a", "b.rec" -> "b"; what a topic cannot hold becomes '-'. */
static void run_name(const char *path, char *out, size_t n)
{
	const char *file = strrchr(path, '/'), *from;
	size_t len;
	if (file && file > path && strcmp(file, "/train.rec") == 0) {
		for (from = file; from > path && from[-1] != '/'; from--)
			continue;
		len = (size_t)(file - from);
	} else {
		from = file ? file + 1 : path;
		len = strcspn(from, ".");
	}
	snprintf(out, n, "%.*s", (int)(len < n ? len : n - 1), from);
	for (char *p = out; *p; p++)
		*p = *p <= 0x20 || *p >= 0x7f || strchr("\"\\.*{},", *p) ? '-' : *p;
}

/* The recording's clock is its own: at time 0 of the one shown, they are all there. */
bool runs_beside(Store *s, const char *path, Err *e)
{
	static const char *const take[] = { "train.main_loss", "train.held_out" };
	RecordReader *r = record_open(path, e);
	char name[40], topic[96];
	bool torn;
	int more;
	Frame f;
	if (!r)
		return false;
	run_name(path, name, sizeof name);
	while ((more = record_next(r, &f, &torn, e)) > 0)
		for (size_t i = 0; f.kind == FRAME_SAMPLE && i < sizeof take / sizeof *take; i++) {
			if (strcmp(f.sample.topic, take[i]) != 0)
				continue;
			snprintf(topic, sizeof topic, "runs.%s.%s", name, take[i]);
			f.sample.topic = topic;
			f.sample.time = 0;
			store_add(s, &f.sample);
			break;
		}
	record_done(r);
	return more == 0;
}
