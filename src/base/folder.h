/* folder.h - folders that take their name only when they are whole: written under another name beside their
 * place, every file synced, then renamed. A program that is killed leaves PLACE.tmp-PID (what it was
 * writing), or PLACE.old-PID (what it was replacing, on systems that cannot swap two names), and
 * folder_leftovers puts that right. */
#ifndef BASE_FOLDER_H
#define BASE_FOLDER_H
#include "base/buf.h"
#include "base/err.h"
#include <stdint.h>

/* DIR/NAME; the caller frees. NULL: out of memory. */
char *folder_join(const char *dir, const char *name);
/* The folder and those above it, where they are missing. */
bool folder_make(const char *path, Err *e);
bool folder_is_empty(const char *path);
/* A new folder PLACE.tmp-PID; its path, which the caller frees. One left by an earlier process of the same
 * number is removed. */
char *folder_temp(const char *place, Err *e);
/* A new file in it, synced. E_4002. */
bool folder_file(const char *dir, const char *name, const void *bytes, size_t n, Err *e);
/* Copies one file of at most 256 MiB; one that is not there is passed over and *there is false. */
bool folder_copy(const char *from, const char *dir, const char *name, bool *there, Err *e);
/* Syncs temp and gives it its name, for good (the folder above is synced too). A folder of that name is
 * replaced if `replace`, else only when it is empty. */
bool folder_place(const char *temp, const char *place, bool replace, Err *e);
/* The files in it and the folder itself; it holds no folders. Not an error if it cannot be done. */
void folder_remove(const char *path);
/* The same for a folder that others may open: it loses its name first, so that a kill never leaves half of it there. */
void folder_retire(const char *path);
bool folder_sync(const char *path, Err *e);
/* Clears DIR of what killed processes left of places whose names `ours` takes. Nobody else may be at work
 * in it. */
bool folder_leftovers(const char *dir, bool (*ours)(const char *name), Err *e);
/* A 64-bit hash of a file's bytes, and their number. E_4001. */
bool folder_hash(const char *path, uint64_t *hash, uint64_t *bytes, Err *e);
#endif
