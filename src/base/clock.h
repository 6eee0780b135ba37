#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H
#include <stdint.h>
double clock_now(void);       /* seconds, monotonic */
double clock_thread(void);    /* seconds of processor time of this thread */
int64_t clock_wall_us(void);  /* microseconds since 1970, UTC */
#endif
