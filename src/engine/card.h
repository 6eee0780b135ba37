/* card.h - the facts about a model that the home screen shows, as the JSON of topic model.card. */
#ifndef ENGINE_CARD_H
#define ENGINE_CARD_H
#include "base/buf.h"
#include "engine/lathe.h"
/* Headers only; what the folder does not tell is left out. */
void card_write(Buf *b, const char *path, const LatheModel *m);
#endif
