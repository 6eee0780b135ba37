/* store.h - what a viewer knows: samples by topic, in order, with look-up by step. Fed from a socket or a
 * recording alike; scenes read only this, so that a live engine and a replay look the same. A byte budget
 * drops the oldest samples of the largest topics.
 *
 * A sample of topic STORE_RUN says that a new text begins: look-ups of every topic except "engine.*" and
 * "model.*" then see only what came after it. It is a mark, not a deletion: seeking back into an earlier text
 * shows that text again. */
#ifndef PROBE_STORE_H
#define PROBE_STORE_H
#include "probe/sample.h"
#define STORE_RUN "gen.run"
typedef struct Store Store;
Store *store_new(size_t budget);
void store_free(Store *s);
/* Copies (data gets a NUL behind it, so that text is a string). False: refused by sample_check, larger than
 * half the budget, or out of memory. Pointers got from the look-ups hold until the next store_add or
 * store_clear. */
bool store_add(Store *s, const Sample *x);
void store_clear(Store *s, const char *pattern);     /* "gen.*" : forgets for good */
const Sample *store_last(const Store *s, const char *topic);
size_t store_count(const Store *s, const char *topic);
const Sample *store_at(const Store *s, const char *topic, size_t i);
/* fn for each sample of the topic that store_at would give, in that order: for whoever looks at all of them. */
void store_each(const Store *s, const char *topic, void (*fn)(void *ud, const Sample *x), void *ud);
/* The sample whose rows cover position pos (newest such), *row = row inside it; NULL: not recorded. row may
 * be NULL. */
const Sample *store_pos(const Store *s, const char *topic, uint64_t pos, int64_t *row);
/* All topics in name order (for the tree), whatever the limit of store_seek. */
size_t store_topics(const Store *s);
const char *store_topic(const Store *s, size_t i);
uint64_t store_version(const Store *s);              /* changes whenever something was added */

/* Scrubbing: with a limit set, only samples with time <= t are seen by the look-ups above; INFINITY: live. */
void store_seek(Store *s, double t);
/* First and last time kept (0 when empty); now: the limit while scrubbing, else the end. */
double store_begin(const Store *s); double store_end(const Store *s); double store_now(const Store *s);

/* In order of arrival, whatever the limit: the sample after serial number `after` (0: from the oldest), its
 * serial returned; 0: no more. Serials are 1, 2, 3 ...: a gap means dropped samples. */
uint64_t store_next(const Store *s, uint64_t after, const Sample **x);
uint64_t store_serial(const Store *s);               /* of the newest sample added, 0: none yet */
/* Bytes that arrived after the sample with this serial, which must be kept; 0 when it is not. */
uint64_t store_behind(const Store *s, uint64_t serial);
size_t store_bytes(const Store *s);
#endif
