# Rules of the house as scripts; tests/base/check_house.sh runs them in make check.
EXTRA_DIST += tools/layers tools/lengths tools/map tools/names src/LAYERS
EXTRA_DIST += tools/box/corpus.py tools/box/train_tiny.py tools/box/golden_tiny.py tools/box/tokenizers.py tools/box/curve.py tools/box/divergence.py tools/box/twins.sh
