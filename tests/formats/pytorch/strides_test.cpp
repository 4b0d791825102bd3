#include "formats/pytorch/strides.h"

#include <doctest/doctest.h>

#include <numeric>

#include "formats/error.h"

namespace terse::pytorch {
namespace {

TEST_SUITE("formats/pytorch/strides") {
  TEST_CASE("a view that leaves its storage is refused") {
    struct Row {
      StridedView view;
      bool inside = false;
    };
    constexpr int64_t kHuge = int64_t{1} << 62;
    for (const Row& row : {
             Row{{0, {2, 3}, {3, 1}}, true},
             Row{{0, {3, 2}, {1, 3}}, true},
             Row{{1, {2, 3}, {3, 1}}, false},
             Row{{0, {2, 4}, {3, 1}}, false},
             Row{{5, {}, {}}, true},
             Row{{6, {}, {}}, false},
             Row{{-1, {}, {}}, false},
             Row{{6, {0, 9}, {9, 1}}, true},
             Row{{7, {0}, {1}}, false},
             Row{{0, {2}, {-1}}, false},
             Row{{0, {1}, {kHuge}}, true},
             Row{{0, {2}, {kHuge}}, false},
             Row{{0, {kHuge, 0}, {1, 1}}, false},
             Row{{0, {1000}, {0}}, true},
             Row{{0, {3}, {}}, false},
             Row{{0, {-3}, {1}}, false},
             Row{{0, Shape(65, 1), Shape(65, 1)}, false},
             Row{{0, {3, 3, 3}, {1, 1, 2}}, false},
         }) {
      CAPTURE(to_string(row.view.sizes));
      CAPTURE(to_string(row.view.strides));
      if (row.inside) {
        CHECK_NOTHROW(check_inside(row.view, 6));
      } else {
        CHECK_THROWS_AS(check_inside(row.view, 6), Error);
      }
    }
    CHECK_THROWS_AS(check_inside({0, {1}, {1}}, 0), Error);
  }

  TEST_CASE("a view is contiguous whatever the strides of dimensions that are never stepped along") {
    CHECK(is_contiguous({0, {2, 3}, {3, 1}}));
    CHECK(is_contiguous({0, {2, 1, 3}, {3, 77, 1}}));
    CHECK(is_contiguous({0, {}, {}}));
    CHECK(is_contiguous({0, {0, 5}, {9, 9}}));
    CHECK_FALSE(is_contiguous({0, {3, 2}, {1, 3}}));
    CHECK_FALSE(is_contiguous({0, {4}, {2}}));
  }

  TEST_CASE("elements are gathered in row-major order") {
    std::vector<int16_t> storage(24);
    std::iota(storage.begin(), storage.end(), int16_t{0});
    struct Row {
      StridedView view;
      std::vector<int64_t> expected;
    };
    for (const Row& row :
         {Row{{0, {3, 2}, {1, 3}}, {0, 3, 1, 4, 2, 5}}, Row{{1, {2, 2, 2}, {1, 12, 4}}, {1, 5, 13, 17, 2, 6, 14, 18}},
          Row{{7, {}, {}}, {7}}, Row{{3, {3}, {10}}, {3, 13, 23}}, Row{{3, {0, 2}, {1, 1}}, {}}}) {
      CAPTURE(to_string(row.view.sizes));
      const Tensor found = gather(row.view, DType::i16, std::as_bytes(std::span(storage)));
      CHECK(found.shape() == row.view.sizes);
      CHECK(to_int64s(found) == row.expected);
    }
  }
}

}  // namespace
}  // namespace terse::pytorch
