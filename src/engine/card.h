/* card.h - the facts about a model that the home screen shows, as the JSON of topic model.card. */
#ifndef ENGINE_CARD_H
#define ENGINE_CARD_H
#include "base/buf.h"
#include "engine/lathe.h"
#include "model/config.h"
/* Headers only; what the folder does not tell is left out. */
void card_write(Buf *b, const char *path, const LatheModel *m);
/* Of a model that is in memory only: a training run's. bytes: of its weights. */
void card_write_config(Buf *b, const char *name, const Config *c, int64_t bytes);
#endif
