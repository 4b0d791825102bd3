#include "formats/gguf/imatrix.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/gguf/imatrix_writer.h"
#include "formats/gguf/writer.h"
#include "tests/temporary_folder.h"

namespace terse::gguf {
namespace {

namespace fs = std::filesystem;

template <typename T>
void append(std::string& text, T number) {
  text.append(reinterpret_cast<const char*>(&number), sizeof number);
}

void append(std::string& text, std::string_view string) {
  append(text, static_cast<int32_t>(string.size()));
  text += string;
}

struct DatEntry {
  std::string name = "blk.0.ffn_up.weight";
  int32_t chunks = 4;
  std::vector<float> values = {4, 8, 0};
};

/// A file of the old form, up to its end.
std::string dat_entries(const std::vector<DatEntry>& entries) {
  std::string text;
  append(text, static_cast<int32_t>(entries.size()));
  for (const DatEntry& entry : entries) {
    append(text, std::string_view(entry.name));
    append(text, entry.chunks);
    append(text, static_cast<int32_t>(entry.values.size()));
    for (const float value : entry.values) {
      append(text, value);
    }
  }
  return text;
}

std::string dat_file(const std::vector<DatEntry>& entries) {
  std::string text = dat_entries(entries);
  append(text, int32_t{7});
  append(text, std::string_view("wiki.txt"));
  return text;
}

OutputTensor tensor(std::string name, Shape shape, std::vector<float> values) {
  return {.name = std::move(name),
          .type = BlockType::f32,
          .shape = std::move(shape),
          .write = [values = std::move(values)](Sink& sink) { sink.write(std::as_bytes(std::span(values))); }};
}

OutputTensor halves(std::string name) {
  return {.name = std::move(name), .type = BlockType::f16, .shape = {1}, .write = [](Sink& sink) {
            sink.write(std::string_view("\0\0", 2));
          }};
}

Metadata imatrix_metadata() {
  Metadata metadata;
  metadata.set("general.type", std::string("imatrix"));
  metadata.set("imatrix.datasets", MetadataArray{std::vector<std::string>{"wiki.txt"}});
  metadata.set("imatrix.chunk_count", uint32_t{2});
  metadata.set("imatrix.chunk_size", uint32_t{512});
  return metadata;
}

/// One weight, and a stack of three experts of which one has seen nothing.
std::vector<OutputTensor> imatrix_tensors() {
  return {tensor("blk.0.ffn_up.weight.in_sum2", {4}, {1, 2, 4, 0}), tensor("blk.0.ffn_up.weight.counts", {1}, {4}),
          tensor("experts.in_sum2", {3, 2}, {2, 4, 0, 0, 1, 1}), tensor("experts.counts", {3, 1}, {2, 0, 10})};
}

class Files {
 public:
  fs::path text(std::string_view bytes) {
    const fs::path path = next();
    write_text(path, bytes);
    return path;
  }
  fs::path gguf(const std::vector<OutputTensor>& tensors, const Metadata& metadata = imatrix_metadata()) {
    const fs::path path = next();
    write(metadata, tensors, path);
    return path;
  }

 private:
  fs::path next() { return folder_.path() / fmt::format("{}.imatrix", count_++); }

  TemporaryFolder folder_;
  int count_ = 0;
};

std::string message_of(const fs::path& path) {
  try {
    read_imatrix(path);
  } catch (const Error& error) {
    CHECK(error.kind() == Kind::input);
    const std::string message = error.what();
    CHECK(message.starts_with(path.string() + ": "));
    return message.substr(path.string().size() + 2);
  }
  return "";
}

bool reads(const fs::path& path) {
  try {
    return !read_imatrix(path).entries.empty();
  } catch (const Error& error) {
    CHECK(error.kind() != Kind::internal);
    return false;
  }
}

Imatrix full_matrix() {
  return {.entries = {{"k", {.squares = {1, 2}, .counts = {3}}},
                      {"q", {.squares = {1, 2}, .counts = {3}}},
                      {"up", {.squares = {1, 2, 3, 4}, .counts = {1, 1}}},
                      {"wide", {.squares = {1, 2, 3}, .counts = {3}}}}};
}

/// Such a file, whose layers all have the same numbers.
fs::path write_full(const fs::path& path, std::vector<FullImatrixWriter::Layer> layers,
                    std::vector<float> solving = {1, 0.5F, 0.5F, 2}) {
  std::vector<float> held_out = {4, -5, -5, 6};
  FullImatrixWriter writer(full_matrix(), layers, path);
  for (const auto& layer : layers) {
    const auto numbers = static_cast<size_t>(layer.columns * layer.columns);
    solving.resize(numbers);
    held_out.resize(numbers);
    writer.write_products(solving, 7, held_out, 1);
  }
  writer.commit(full_matrix());
  return path;
}

TEST_SUITE("formats/gguf/imatrix") {
  TEST_CASE("what is written reads back; names that no file holds are refused") {
    const TemporaryFolder folder;
    const Imatrix matrix{.entries = {{"experts", {.squares = {2, 4, 0, 0, 1, 1}, .counts = {2, 0, 10}}},
                                     {"up", {.squares = {0.5, 3}, .counts = {51200}}}},
                         .datasets = {"wiki.txt"},
                         .chunk_count = 100,
                         .chunk_size = 512};
    write_imatrix(matrix, folder.path() / "stats.gguf");
    const Imatrix found = read_imatrix(folder.path() / "stats.gguf");
    CHECK(found.datasets == matrix.datasets);
    CHECK(found.chunk_count == 100);
    CHECK(found.chunk_size == 512);
    REQUIRE(found.entries.size() == 2);
    for (const auto& [name, entry] : matrix.entries) {
      CAPTURE(name);
      CHECK(found.entries.at(name).squares == entry.squares);
      CHECK(found.entries.at(name).counts == entry.counts);
    }
    const std::string longest(kMostEntryNameBytes, 'x');
    write_imatrix({.entries = {{longest, matrix.entries.at("up")}}}, folder.path() / "longest.gguf");
    CHECK(read_imatrix(folder.path() / "longest.gguf").entries.contains(longest));
    CHECK_THROWS_AS(
        write_imatrix({.entries = {{longest + "x", matrix.entries.at("up")}}}, folder.path() / "longer.gguf"), Error);
  }

  TEST_CASE("products are read for all matrices that have them in common, and hold f32 triangles") {
    const TemporaryFolder folder;
    const Imatrix matrix = full_matrix();
    const Imatrix found = read_imatrix(write_full(folder.path() / "full.gguf", {{{"q", "k"}, 2}, {{"up.0"}, 2}}));
    REQUIRE(found.products.size() == 3);
    const Products& key = found.products.at("k");
    CHECK(key.owner == "q");
    CHECK(key.columns == 2);
    REQUIRE(key.parts.size() == 1);
    CHECK(std::ranges::equal(key.parts[0].solving(), std::vector<float>{1, 0.5F, 2}));
    CHECK(std::ranges::equal(key.parts[0].held_out(), std::vector<float>{4, -5, 6}));
    CHECK(key.parts[0].solving_rows == 7);
    CHECK(key.parts[0].held_out_rows == 1);
    CHECK(found.products.at("up.0").owner == "up.0");
    CHECK(found.entries.at("q").squares == matrix.entries.at("q").squares);
  }

  TEST_CASE("broken products are refused with a sentence") {
    const TemporaryFolder folder;
    const fs::path path = folder.path() / "full.gguf";
    const float nan = std::nanf("");
    CHECK(message_of(write_full(path, {{{"q", "wide"}, 2}})) ==
          "'wide': has 3 columns, and sums of products in common with 'q' for another number");
    CHECK(message_of(write_full(path, {{{"q", "q"}, 2}})) ==
          "'q': is there twice in metadata 'terse.products.matrices'");
    CHECK(message_of(write_full(path, {{{"other"}, 2}})) == "'other': has sums of products, and none of squares");
    CHECK(message_of(write_full(path, {{{"q"}, 3}})) == "'q': tensor 'q.xtx' is F32 [2,6], expected F32 [2,3]");
    CHECK(message_of(write_full(path, {{{"q"}, 2}}, {1, 0, 0, nan})) ==
          "'q': tensor 'q.xtx': row 1, column 1 is nan, which no sum of products is");
    CHECK(message_of(write_full(path, {{{"q"}, 2}}, {1, INFINITY, 0, 1})) ==
          "'q': tensor 'q.xtx': row 0, column 1 is inf, which no sum of products is");
    CHECK(message_of(write_full(path, {{{"q"}, 2}}, {1, 0, 0, -1})) ==
          "'q': tensor 'q.xtx': row 1, column 1 is -1, which no sum of products is");
  }

  TEST_CASE("full files that are no parts of one run are refused") {
    const TemporaryFolder folder;
    const fs::path both = write_full(folder.path() / "both.gguf", {{{"q", "k"}, 2}}),
                   owned = write_full(folder.path() / "owned.gguf", {{{"k", "q"}, 2}}),
                   one = write_full(folder.path() / "one.gguf", {{{"q"}, 2}});
    const auto merging = [](std::vector<fs::path> paths) {
      try {
        return std::to_string(read_imatrices(paths).products.at("q").parts.size());
      } catch (const Error& error) {
        const std::string message = error.what();
        return message.substr(paths[1].string().size());
      }
    };
    CHECK(merging({both, both}) == "2");
    CHECK(merging({both, one}) == ": has no sums of products of 'k', the files before it have: give files of one kind");
    CHECK(merging({one, both}) ==
          ": has sums of products of 'k', the files before it have none: give files of one kind");
    CHECK(merging({both, owned}) ==
          ": 'k' has sums of products of 2 columns in common with 'k', in the files before it of 2 with 'q'");
  }

  TEST_CASE("a full file that ends early is refused, wherever") {
    const TemporaryFolder folder;
    const std::string whole = read_text(write_full(folder.path() / "full.gguf", {{{"q", "k"}, 2}}));
    const fs::path path = folder.path() / "cut.gguf";
    for (size_t bytes = 0; bytes + 32 < whole.size(); ++bytes) {
      CAPTURE(bytes);
      write_text(path, whole.substr(0, bytes));
      CHECK_FALSE(reads(path));
    }
  }

  TEST_CASE("sums and counts of a GGUF file become means, expert by expert") {
    Files files;
    const Imatrix matrix = read_imatrix(files.gguf(imatrix_tensors()));
    CHECK(matrix.form == Imatrix::Form::gguf);
    CHECK(matrix.datasets == std::vector<std::string>{"wiki.txt"});
    CHECK(matrix.chunk_count == 2);
    CHECK(matrix.chunk_size == 512);
    REQUIRE(matrix.entries.size() == 2);
    const ColumnSums& up = matrix.entries.at("blk.0.ffn_up.weight");
    CHECK(up.matrices() == 1);
    CHECK(up.columns() == 4);
    CHECK(up.means(0) == std::vector<float>{0.25, 0.5, 1, 0});
    const ColumnSums& experts = matrix.entries.at("experts");
    CHECK(experts.counts == std::vector<int64_t>{2, 0, 10});
    CHECK(experts.means(0) == std::vector<float>{1, 2});
    CHECK(experts.means(1).empty());
    CHECK(experts.means(2) == std::vector<float>{0.1F, 0.1F});
  }

  TEST_CASE("the old form holds the same, and its oldest files end behind the entries") {
    Files files;
    const std::vector<DatEntry> entries = {{}, {.name = "output.weight", .chunks = 1, .values = {1, 2}}};
    const Imatrix matrix = read_imatrix(files.text(dat_file(entries)));
    CHECK(matrix.form == Imatrix::Form::dat);
    CHECK(matrix.chunk_count == 7);
    CHECK(matrix.datasets == std::vector<std::string>{"wiki.txt"});
    REQUIRE(matrix.entries.size() == 2);
    CHECK(matrix.entries.at("blk.0.ffn_up.weight").means(0) == std::vector<float>{1, 2, 0});
    CHECK(matrix.entries.at("output.weight").means(0) == std::vector<float>{1, 2});
    const Imatrix oldest = read_imatrix(files.text(dat_entries(entries)));
    CHECK(oldest.entries.size() == 2);
    CHECK(oldest.datasets.empty());
  }

  TEST_CASE("llama-imatrix's own files say the same in both forms") {
    const fs::path folder = fs::path(TERSE_TESTDATA) / "gguf";
    const Imatrix matrix = read_imatrix(folder / "lm_imatrix.gguf"), old_form = read_imatrix(folder / "lm_imatrix.dat");
    CHECK(matrix.entries.size() == 28);
    CHECK(old_form.entries.size() == 28);
    CHECK(matrix.datasets == std::vector<std::string>{"calib.txt"});
    CHECK(old_form.datasets == matrix.datasets);
    CHECK(matrix.chunk_count == 4);
    CHECK(old_form.chunk_count == 4);
    CHECK(matrix.chunk_size == 128);
    const ColumnSums& down = matrix.entries.at("blk.2.ffn_down.weight");
    CHECK(down.counts == std::vector<int64_t>{512});
    CHECK(down.columns() == 384);
    CHECK(down.means(0)[2] == 0.08269370347261429F);  // as the package gguf reads it
    CHECK(down.means(0)[383] == 0.026545990258455276F);
    for (const auto& [name, entry] : matrix.entries) {
      const std::vector<float> means = entry.means(0), others = old_form.entries.at(name).means(0);
      REQUIRE(means.size() == others.size());
      for (size_t i = 0; i < means.size(); ++i) {
        CHECK(others[i] == doctest::Approx(means[i]).epsilon(1e-6));
      }
    }
  }

  TEST_CASE("several files count as one run, the same bits for the same order") {
    Files files;
    const fs::path first = files.gguf(imatrix_tensors());
    const fs::path second =
        files.gguf({tensor("experts.in_sum2", {3, 2}, {1, 0, 3, 3, 0, 0}), tensor("experts.counts", {3, 1}, {1, 1, 0}),
                    tensor("output.weight.in_sum2", {2}, {3, 6}), tensor("output.weight.counts", {1}, {3})});
    const fs::path paths[] = {first, second, second};
    const Imatrix all = read_imatrices(paths);
    CHECK(all.entries.size() == 3);
    CHECK(all.chunk_count == 6);
    CHECK(all.datasets.size() == 3);
    CHECK(all.entries.at("experts").counts == std::vector<int64_t>{4, 2, 10});
    CHECK(all.entries.at("experts").squares == std::vector<double>{4, 4, 6, 6, 1, 1});
    CHECK(all.entries.at("output.weight").means(0) == std::vector<float>{1, 2});
    CHECK(read_imatrices(paths).entries.at("experts").squares == all.entries.at("experts").squares);
    const fs::path old_form = files.text(dat_file({{}}));
    const fs::path old_forms[] = {old_form, old_form};
    CHECK(read_imatrices(old_forms).entries.at("blk.0.ffn_up.weight").means(0) == std::vector<float>{1, 2, 0});
  }

  TEST_CASE("files that cannot be of one run are refused") {
    Files files;
    const fs::path matrix = files.gguf(imatrix_tensors());
    struct Row {
      fs::path other;
      std::string message;
    };
    const Row rows[] = {
        {files.text(dat_file({{}})),
         "counts chunks, the files before it rows: give files of one form (llama-imatrix converts between them)"},
        {files.gguf({tensor("experts.in_sum2", {2, 2}, {2, 4, 1, 1}), tensor("experts.counts", {2, 1}, {2, 10})}),
         "entry 'experts': 2 matrices of 2 columns, in the files before it 3 of 2"},
    };
    for (const auto& [other, message] : rows) {
      const fs::path paths[] = {matrix, other};
      CHECK_THROWS_WITH_AS(read_imatrices(paths), (other.string() + ": " + message).c_str(), Error);
    }
  }

  TEST_CASE("what no importance matrix holds is refused with a sentence") {
    Files files;
    const auto with = [&](OutputTensor squares, OutputTensor counts) {
      return files.gguf({std::move(squares), std::move(counts)});
    };
    Metadata model = imatrix_metadata(), numbers = imatrix_metadata(), negative = imatrix_metadata();
    model.erase("general.type");
    numbers.set("imatrix.datasets", MetadataArray{std::vector<int32_t>{1}});
    negative.set("imatrix.chunk_count", int32_t{-1});
    std::string longer = dat_file({{}});
    longer += 'x';
    struct Row {
      fs::path path;
      std::string message;
    };
    const Row rows[] = {
        {files.gguf(imatrix_tensors(), model), "general.type is 'model', expected 'imatrix'"},
        {files.gguf(imatrix_tensors(), numbers), "metadata 'imatrix.datasets' is no array of strings"},
        {files.gguf(imatrix_tensors(), negative), "says that it is of -1 chunks of 512 rows"},
        {files.gguf({}), "holds no entries"},
        {files.gguf({tensor("w", {1}, {1})}),
         "tensor 'w' belongs to no importance matrix: expected names that end with .in_sum2 or .counts"},
        {files.gguf({tensor("w.in_sum2", {1}, {1})}), "entry 'w': has no tensor of counts"},
        {files.gguf({tensor("w.counts", {1}, {1})}), "entry 'w': has no tensor of sums"},
        {with(tensor("w.in_sum2", {2, 2}, {1, 1, 1, 1}), tensor("w.counts", {1}, {1})),
         "entry 'w': sums have shape [2,2] and counts [1], expected [matrices,columns] and [matrices,1]"},
        {with(tensor("w.in_sum2", {0}, {}), tensor("w.counts", {0}, {})),
         "entry 'w': sums have shape [0] and counts [0], expected [matrices,columns] and [matrices,1]"},
        {with(tensor("w.in_sum2", {2}, {1, -1}), tensor("w.counts", {1}, {1})),
         "entry 'w': column 1 is -1, which no sum of squares is"},
        {with(tensor("w.in_sum2", {1}, {NAN}), tensor("w.counts", {1}, {1})),
         "entry 'w': column 0 is nan, which no sum of squares is"},
        {with(tensor("w.in_sum2", {1}, {INFINITY}), tensor("w.counts", {1}, {1})),
         "entry 'w': column 0 is inf, which no sum of squares is"},
        {with(tensor("w.in_sum2", {1}, {1}), tensor("w.counts", {1}, {-1})), "entry 'w': a count of -1 rows"},
        {with(tensor("w.in_sum2", {1}, {1}), tensor("w.counts", {1}, {0.5})), "entry 'w': a count of 0.5 rows"},
        {with(tensor("w.in_sum2", {1}, {1}), tensor("w.counts", {1}, {NAN})), "entry 'w': a count of nan rows"},
        {with(tensor("w.in_sum2", {1}, {1}), tensor("w.counts", {1}, {1e30F})), "entry 'w': a count of 1e+30 rows"},
        {with(tensor("w.in_sum2", {1}, {1}), tensor("w.counts", {1}, {0})),
         "entry 'w': matrix 0 has seen no rows, and has sums that are not zero"},
        {with(tensor("w.in_sum2", {1}, {1}), halves("w.counts")),
         "entry 'w': tensor 'w.counts' is of type F16, expected F32"},
        {files.text(""), "is no importance matrix, or a broken one: 4 bytes expected at byte 0 of 0, where 0 are left"},
        {files.text(dat_file({})), "is no importance matrix, or a broken one: entries: 0, expected at least 1"},
        {files.text(dat_file({{.name = ""}})), "the name of entry 0 of 1: bytes: 0, expected at least 1"},
        {files.text(dat_file({{.chunks = 0}})), "entry 'blk.0.ffn_up.weight': chunks: 0, expected at least 1"},
        {files.text(dat_file({{.values = {}}})), "entry 'blk.0.ffn_up.weight': values: 0, expected at least 1"},
        {files.text(dat_file({{.values = {0, NAN}}})),
         "entry 'blk.0.ffn_up.weight': column 1 is nan, which no sum of squares is"},
        {files.text(dat_file({{}, {}})), "entry 'blk.0.ffn_up.weight': is there twice"},
        {files.text(longer), "behind the entries: goes on at offset 63, where its entries and the data's name end"},
    };
    for (const Row& row : rows) {
      CHECK(message_of(row.path) == row.message);
    }
  }

  TEST_CASE("every truncation and every changed byte ends in a matrix or in an Error") {
    Files files;
    const std::string old_form = dat_file({{}, {.name = "output.weight"}});
    const size_t entries_end = dat_entries({{}, {.name = "output.weight"}}).size();
    for (size_t length = 0; length < old_form.size(); ++length) {
      CAPTURE(length);
      CHECK(reads(files.text(old_form.substr(0, length))) == (length == entries_end));
    }
    const std::string gguf = read_text(files.gguf(imatrix_tensors()));
    constexpr size_t kLastTensorEnd = 20;  // 12 bytes of counts, padded to 32
    for (size_t length = 0; length <= gguf.size() - 1 - kLastTensorEnd; length += 3) {
      CAPTURE(length);
      CHECK_FALSE(reads(files.text(gguf.substr(0, length))));
    }
    int refused = 0;
    for (const std::string& whole : {old_form, gguf}) {
      for (size_t at = 0; at < whole.size(); ++at) {
        std::string changed = whole;
        changed[at] = static_cast<char>(static_cast<unsigned char>(changed[at]) ^ 0x80U);
        refused += reads(files.text(changed)) ? 0 : 1;
      }
    }
    CHECK(refused > 0);
  }
}

}  // namespace
}  // namespace terse::gguf
