/* store.c - samples in memory, by topic and by order of arrival, within a byte budget.
 *
 * Each topic is a deque of entries; all topics lie in an array sorted by name, since the screen draws them in
 * that order and a binary search over a thousand names is quick. A second array holds every entry by serial
 * number: the engine replays from it to a late viewer. Entries keep the largest time seen so far in their
 * topic, so that a limit in time is a binary search even in a recording whose clock steps back. */
#include "probe/store.h"
#include "base/glob.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Entry {
	Sample s;
	uint64_t serial, arrived;  /* arrived: bytes of the whole store's life up to and with this one */
	double time_max;
	size_t cost;
} Entry;

typedef struct Series {
	char *topic;
	Entry **item;              /* item[head .. head+n) */
	size_t head, n, cap, bytes;
	bool ascending;            /* steps never went back: look-up by position is a binary search */
	bool per_run;
} Series;

typedef struct Slot { uint64_t serial; Entry *entry; } Slot;

struct Store {
	Series **series;
	size_t n_series, cap_series;
	Slot *order;               /* by serial; entry NULL where dropped */
	size_t n_order, cap_order, holes;
	size_t budget, bytes;
	uint64_t serial, arrived, version;
	double limit, begin, end;
};

Store *store_new(size_t budget)
{
	Store *s = calloc(1, sizeof *s);
	if (s) {
		s->budget = budget;
		s->limit = INFINITY;
	}
	return s;
}

static void series_free(Series *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->item[r->head + i]);
	free(r->item);
	free(r->topic);
	free(r);
}

void store_free(Store *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_series; i++)
		series_free(s->series[i]);
	free(s->series);
	free(s->order);
	free(s);
}

/* Where topic is, or would be put. */
static size_t series_place(const Store *s, const char *topic, bool *found)
{
	size_t lo = 0, hi = s->n_series;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (strcmp(s->series[mid]->topic, topic) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*found = lo < s->n_series && strcmp(s->series[lo]->topic, topic) == 0;
	return lo;
}

static Series *series_find(const Store *s, const char *topic)
{
	bool found;
	size_t at = series_place(s, topic, &found);
	return found ? s->series[at] : NULL;
}

static bool has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

static size_t series_overhead(const Series *r)
{
	return sizeof *r + sizeof(Series *) + strlen(r->topic) + 1;
}

/* Doubles the room of an array; false leaves it as it is. */
static bool grow(void *array, size_t *cap, size_t item)
{
	void *old;
	size_t want = *cap ? *cap * 2 : 16;
	if (want < *cap || want > SIZE_MAX / item)
		return false;
	memcpy(&old, array, sizeof old);
	void *more = realloc(old, want * item);
	if (!more)
		return false;
	memcpy(array, &more, sizeof more);
	*cap = want;
	return true;
}

static Series *series_add(Store *s, const char *topic)
{
	bool found;
	size_t at = series_place(s, topic, &found);
	if (found)
		return s->series[at];
	if (s->n_series == s->cap_series && !grow(&s->series, &s->cap_series, sizeof *s->series))
		return NULL;
	Series *r = calloc(1, sizeof *r);
	if (!r)
		return NULL;
	r->topic = strdup(topic);
	if (!r->topic) {
		free(r);
		return NULL;
	}
	r->ascending = true;
	r->per_run = !has_prefix(topic, "engine.") && !has_prefix(topic, "model.");
	memmove(s->series + at + 1, s->series + at, (s->n_series - at) * sizeof *s->series);
	s->series[at] = r;
	s->n_series++;
	s->bytes += series_overhead(r);
	return r;
}

static void series_remove(Store *s, size_t at)
{
	Series *r = s->series[at];
	s->bytes -= series_overhead(r);
	memmove(s->series + at, s->series + at + 1, (s->n_series - at - 1) * sizeof *s->series);
	s->n_series--;
	series_free(r);
}

/* Index of the first slot with a serial above `after`. */
static size_t order_after(const Store *s, uint64_t after)
{
	size_t lo = 0, hi = s->n_order;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (s->order[mid].serial <= after)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Takes the holes out once they are the greater part. */
static void order_pack(Store *s)
{
	if (s->holes <= s->n_order / 2)
		return;
	size_t n = 0;
	for (size_t i = 0; i < s->n_order; i++)
		if (s->order[i].entry)
			s->order[n++] = s->order[i];
	s->n_order = n;
	s->holes = 0;
}

static void entry_drop_first(Store *s, Series *r)
{
	Entry *x = r->item[r->head];
	size_t at = order_after(s, x->serial - 1);
	s->order[at].entry = NULL;
	s->holes++;
	r->head++;
	r->n--;
	r->bytes -= x->cost;
	s->bytes -= x->cost;
	free(x);
}

/* Bytes of the largest topic that has something to lose; the newest sample of `keep` stays. */
static size_t largest_topic(const Store *s, const Series *keep)
{
	size_t most = 0;
	for (size_t i = 0; i < s->n_series; i++)
		if (s->series[i]->n > (s->series[i] == keep) && s->series[i]->bytes > most)
			most = s->series[i]->bytes;
	return most;
}

static void remove_empty(Store *s)
{
	size_t n = 0;
	for (size_t i = 0; i < s->n_series; i++) {
		Series *r = s->series[i];
		if (r->n > 0) {
			s->series[n++] = r;
			continue;
		}
		s->bytes -= series_overhead(r);
		series_free(r);
	}
	s->n_series = n;
}

/* Over the budget: topics within a quarter of the largest lose their oldest samples until a sixteenth of the
 * budget is free, so that this is rare; each round lowers the largest, so that a crowd of small topics costs
 * few rounds. */
static void store_trim(Store *s, const Series *keep)
{
	size_t target = s->budget - s->budget / 16, most;
	while (s->bytes > target && (most = largest_topic(s, keep)) > 0) {
		for (size_t i = 0; i < s->n_series && s->bytes > target; i++) {
			Series *r = s->series[i];
			while (r->n > (r == keep) && r->bytes > most - most / 4 && s->bytes > target)
				entry_drop_first(s, r);
		}
		remove_empty(s);
	}
	order_pack(s);
}

/* Room for one more entry at the end of the deque: the free head is used before more is asked for. */
static bool series_room(Series *r)
{
	if (r->head + r->n < r->cap)
		return true;
	if (r->head > r->cap / 2) {
		memmove(r->item, r->item + r->head, r->n * sizeof *r->item);
		r->head = 0;
		return true;
	}
	return grow(&r->item, &r->cap, sizeof *r->item);
}

static Entry *entry_new(const Sample *x, const Series *r)
{
	Entry *n = malloc(sizeof *n + x->bytes + 1);
	if (!n)
		return NULL;
	char *data = (char *)(n + 1);
	if (x->bytes > 0)
		memcpy(data, x->data, x->bytes);
	data[x->bytes] = '\0';
	*n = (Entry){
		.s = *x, .cost = sizeof *n + x->bytes + 1 + sizeof(Slot) + sizeof n, .time_max = x->time
	};
	n->s.topic = r->topic;
	n->s.data = data;
	if (r->n > 0 && r->item[r->head + r->n - 1]->time_max > n->time_max)
		n->time_max = r->item[r->head + r->n - 1]->time_max;
	return n;
}

static void entry_append(Store *s, Series *r, Entry *x)
{
	if (r->n > 0) {
		const Sample *last = &r->item[r->head + r->n - 1]->s;
		if (x->s.step < last->step || x->s.step - last->step < (uint64_t)sample_rows(last))
			r->ascending = false;
	}
	x->serial = ++s->serial;
	x->arrived = s->arrived += x->cost;
	s->order[s->n_order++] = (Slot){ x->serial, x };
	r->item[r->head + r->n++] = x;
	r->bytes += x->cost;
	s->bytes += x->cost;
	if (s->serial == 1)
		s->begin = x->s.time;
	if (x->s.time > s->end)
		s->end = x->s.time;
	s->version++;
}

bool store_add(Store *s, const Sample *x)
{
	if (!sample_check(x, NULL) || x->bytes > s->budget / 2 || s->budget < 1024)
		return false;
	if (s->n_order == s->cap_order && !grow(&s->order, &s->cap_order, sizeof *s->order))
		return false;
	Series *r = series_add(s, x->topic);
	if (!r)
		return false;
	Entry *n = series_room(r) ? entry_new(x, r) : NULL;
	if (n)
		entry_append(s, r, n);
	if (r->n == 0) {
		bool found;
		series_remove(s, series_place(s, x->topic, &found));
	} else if (s->bytes > s->budget) {
		store_trim(s, r);
	}
	return n != NULL;
}

void store_clear(Store *s, const char *pattern)
{
	for (size_t i = s->n_series; i-- > 0;) {
		Series *r = s->series[i];
		if (!glob_match(pattern, r->topic))
			continue;
		while (r->n > 0)
			entry_drop_first(s, r);
		series_remove(s, i);
	}
	order_pack(s);
	s->version++;
}

/* How many entries of r came by time t. */
static size_t series_until(const Series *r, double t)
{
	size_t lo = 0, hi = r->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (r->item[r->head + mid]->time_max <= t)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The entries [*lo, *hi) of r that the look-ups see: not after the limit, not before the text that was
 * running then. */
static void series_seen(const Store *s, const Series *r, size_t *lo, size_t *hi)
{
	*hi = isinf(s->limit) ? r->n : series_until(r, s->limit);
	*lo = 0;
	const Series *run = r->per_run ? series_find(s, STORE_RUN) : NULL;
	size_t runs = run ? isinf(s->limit) ? run->n : series_until(run, s->limit) : 0;
	if (runs == 0)
		return;
	uint64_t mark = run->item[run->head + runs - 1]->serial;
	size_t a = 0, b = *hi;
	while (a < b) {
		size_t mid = a + (b - a) / 2;
		if (r->item[r->head + mid]->serial < mark)
			a = mid + 1;
		else
			b = mid;
	}
	*lo = a;
}

size_t store_count(const Store *s, const char *topic)
{
	const Series *r = series_find(s, topic);
	size_t lo, hi;
	if (!r)
		return 0;
	series_seen(s, r, &lo, &hi);
	return hi - lo;
}

const Sample *store_at(const Store *s, const char *topic, size_t i)
{
	const Series *r = series_find(s, topic);
	size_t lo, hi;
	if (!r)
		return NULL;
	series_seen(s, r, &lo, &hi);
	return i < hi - lo ? &r->item[r->head + lo + i]->s : NULL;
}

void store_each(const Store *s, const char *topic, void (*fn)(void *ud, const Sample *x), void *ud)
{
	const Series *r = series_find(s, topic);
	size_t lo = 0, hi = 0;
	if (r)
		series_seen(s, r, &lo, &hi);
	for (size_t i = lo; i < hi; i++)
		fn(ud, &r->item[r->head + i]->s);
}

const Sample *store_last(const Store *s, const char *topic)
{
	const Series *r = series_find(s, topic);
	size_t lo, hi;
	if (!r)
		return NULL;
	series_seen(s, r, &lo, &hi);
	return hi > lo ? &r->item[r->head + hi - 1]->s : NULL;
}

static const Sample *sample_covers(const Sample *x, uint64_t pos, int64_t *row)
{
	if (pos < x->step || pos - x->step >= (uint64_t)sample_rows(x))
		return NULL;
	if (row)
		*row = (int64_t)(pos - x->step);
	return x;
}

const Sample *store_pos(const Store *s, const char *topic, uint64_t pos, int64_t *row)
{
	const Series *r = series_find(s, topic);
	size_t lo, hi;
	if (!r)
		return NULL;
	series_seen(s, r, &lo, &hi);
	if (r->ascending) {
		size_t a = lo, b = hi;
		while (a < b) {
			size_t mid = a + (b - a) / 2;
			if (r->item[r->head + mid]->s.step <= pos)
				a = mid + 1;
			else
				b = mid;
		}
		return a > lo ? sample_covers(&r->item[r->head + a - 1]->s, pos, row) : NULL;
	}
	for (size_t i = hi; i-- > lo;) {
		const Sample *x = sample_covers(&r->item[r->head + i]->s, pos, row);
		if (x)
			return x;
	}
	return NULL;
}

size_t store_topics(const Store *s) { return s->n_series; }
const char *store_topic(const Store *s, size_t i) { return i < s->n_series ? s->series[i]->topic : NULL; }
uint64_t store_version(const Store *s) { return s->version; }
uint64_t store_serial(const Store *s) { return s->serial; }
size_t store_bytes(const Store *s) { return s->bytes; }
double store_begin(const Store *s) { return s->begin; }
double store_end(const Store *s) { return s->end; }
double store_now(const Store *s) { return isinf(s->limit) ? s->end : s->limit; }

void store_seek(Store *s, double t)
{
	s->limit = isnan(t) ? INFINITY : t;
	s->version++;
}

uint64_t store_next(const Store *s, uint64_t after, const Sample **x)
{
	for (size_t i = order_after(s, after); i < s->n_order; i++)
		if (s->order[i].entry) {
			*x = &s->order[i].entry->s;
			return s->order[i].serial;
		}
	return 0;
}

uint64_t store_behind(const Store *s, uint64_t serial)
{
	size_t i = serial ? order_after(s, serial - 1) : s->n_order;
	if (i >= s->n_order || s->order[i].serial != serial || !s->order[i].entry)
		return 0;
	return s->arrived - s->order[i].entry->arrived;
}
