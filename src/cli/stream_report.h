/* stream_report.h - what a recording or an engine has told, as a page of text. */
#ifndef CLI_STREAM_REPORT_H
#define CLI_STREAM_REPORT_H
#include "base/json.h"
#include "probe/store.h"
/* Topics with their counts, the time covered, the model, and the last text. title: the first line. */
void stream_report(const Store *s, const char *title, bool torn, Buf *out);
/* The same as one JSON object's fields. */
void stream_report_json(const Store *s, bool torn, Jout *j);
/* The newest JSON of a topic; NULL when there is none. The caller frees it. */
json_t *stream_json(const Store *s, const char *topic);
#endif
