/* bus.h - what the computing thread and the socket thread of an engine share: samples up, commands down,
 * replies up.
 *
 * One mutex, held for moments only. The computing thread puts a sample into the bounded Store and goes on,
 * whatever the viewers do; each viewer has no more than a cursor into that Store. A viewer that falls behind
 * loses probe samples first (counted), states are sent newest only, tokens are kept as long as the Store
 * keeps them. */
#ifndef ENGINE_BUS_H
#define ENGINE_BUS_H
#include "base/json.h"
#include "probe/store.h"
typedef struct Bus Bus;
Bus *bus_new(size_t keep);            /* bytes of samples kept for late and slow viewers */
void bus_free(Bus *b);
double bus_time(const Bus *b);        /* seconds since the engine began: the clock of its samples */
void bus_set_time(Bus *b, double t);  /* goes on from t: of a run that was there before */

/* --- the computing thread --- */
void bus_put(Bus *b, const Sample *s);
/* The Store, for reading in the computing thread only, which is the only one that changes it. */
const Store *bus_store(const Bus *b);
typedef struct Job { int viewer; json_t *command; /* NULL: this viewer has left */ } Job;
/* wait: seconds, negative: until there is a job or bus_quit. The command belongs to the caller. */
bool bus_take(Bus *b, Job *out, double wait);
void bus_reply(Bus *b, int viewer, const Buf *json);
/* Opens the object of a reply with the command's id (null when it has none) and ok. */
void bus_reply_begin(Jout *j, Buf *out, const json_t *command, bool ok);
void bus_finish(Bus *b);              /* the computing thread ends */

/* --- the socket thread --- */
enum { BUS_JOBS = 64 };
/* Takes the reference; false: BUS_JOBS wait already, and the command stays the caller's. */
bool bus_post(Bus *b, int viewer, json_t *command);
void bus_gone(Bus *b, int viewer);    /* always taken */
int bus_wake_fd(const Bus *b);        /* readable when there is something to send */
void bus_wake_clear(Bus *b);
/* The oldest reply; appended to out as a frame. */
bool bus_reply_take(Bus *b, int *viewer, Buf *out);
/* Appends frames of samples after *cursor, about `max` bytes, and moves the cursor. Up to `joined` nothing is
 * skipped (the snapshot); behind that probes more than lag bytes old are, and *drops grows. */
void bus_pull(Bus *b, uint64_t *cursor, uint64_t joined, size_t max, size_t lag, Buf *out, uint64_t *drops);
uint64_t bus_serial(Bus *b);
bool bus_is_finished(Bus *b);

/* --- both --- */
void bus_quit(Bus *b);
bool bus_quitting(Bus *b);
#endif
