/* Attention for one kind of processor: LANES, PAIR, GROUP, NAME and TARGET say which, and are undefined at the end. */
#include "vector.h"
#include "product.h"
#include "layout.h"
#include "forward.h"
#include "backward.h"

#undef VEC
#undef INTS
#undef LOAD
#undef STORE
#undef SPLAT
#undef LANES
#undef PAIR
#undef GROUP
#undef NAME
#undef TARGET
#undef HIDDEN
#undef LOWEST
