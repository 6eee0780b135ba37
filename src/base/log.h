/* log.h - levels to a ring in memory and to a file; never to stderr while a screen is up. The Log is passed, not global. */
#ifndef BASE_LOG_H
#define BASE_LOG_H
#include <stdbool.h>
enum { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };
typedef struct Log Log;
Log *log_new(int level, const char *path_or_null);
void log_free(Log *l);
void log_say(Log *l, int level, const char *area, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The i-th newest line or NULL. */
const char *log_line(const Log *l, int i);
#endif
