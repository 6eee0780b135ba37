/* record.h - a stream on disk: magic, then frames, appended; a torn last frame is dropped on reading. */
#ifndef PROBE_RECORD_H
#define PROBE_RECORD_H
#include "probe/sample.h"
#include "probe/store.h"
typedef struct Record Record;
Record *record_create(const char *path, Err *e);     /* O_EXCL; refuses to overwrite */
/* Goes on with a recording: what it holds up to and with `step` stays, and fn gets each of these samples in their order; what is behind (of
 * steps that are made again, or torn) is cut off. Step 0, and no such file: an empty one. */
Record *record_resume(const char *path, uint64_t step, void (*fn)(void *ud, const Sample *s), void *ud, Err *e);
/* One frame, buffered up to 64 KiB. After an error (E_4002) the record only takes record_close. */
bool record_put(Record *r, const Sample *s, Err *e);
/* Hands what is buffered to the system, so that another program sees it. */
bool record_flush(Record *r, Err *e);
/* Flushes to the disk and frees r whether or not it works. */
bool record_close(Record *r, Err *e);
typedef struct RecordReader RecordReader;
RecordReader *record_open(const char *path, Err *e);
/* 1: a frame, valid until the next call; 0: end (torn tail included, *torn set), which may be asked again when the file has grown; -1:
 * malformed, e set. */
int record_next(RecordReader *r, Frame *f, bool *torn, Err *e);
void record_done(RecordReader *r);
/* All samples of a file into s. *torn may be NULL. */
bool record_load(const char *path, Store *s, bool *torn, Err *e);
#endif
