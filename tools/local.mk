# Rules of the house as scripts; tests/base/check_house.sh runs them in make check.
EXTRA_DIST += tools/layers tools/lengths tools/map tools/names src/LAYERS
