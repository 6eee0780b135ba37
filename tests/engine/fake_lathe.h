/* fake_lathe.h - lathe.h without a model: canned tokens, so that the engine process can be tested alone.
 *
 * The path chooses the behaviour: "quick" gives tokens at once, "slow" one every 5 ms, "endless" never ends,
 * "abort" dies at its fifth token, "fail" reports an error at its fifth, "missing" does not open, "sleepy"
 * needs a second to open, "cut" faults at its fifth as a mapped file does that was cut short. Token i is the letter 'a' + i % 26; the text ends by itself after 40 generated
 * tokens unless "endless". */
#ifndef TESTS_FAKE_LATHE_H
#define TESTS_FAKE_LATHE_H
enum { FAKE_VOCAB = 256, FAKE_END = 40 };
int fake_hooks(void);          /* hooks registered now, in all models of this process */
#endif
