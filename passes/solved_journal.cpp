#include "passes/solved_journal.h"

#include <algorithm>
#include <fstream>
#include <memory>
#include <numeric>

#include "formats/encoding_record.h"

namespace terse::passes {
namespace {

constexpr std::string_view kMagic = "terse: weights of a run that is not complete, form 1\n";
constexpr size_t kMostShown = 24;                  // characters of a fact
constexpr int64_t kKeptBytes = int64_t{64} << 10;  // smaller encodings stay in memory

template <typename T>
void put(std::string& text, T number) {
  text.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

void put_text(std::string& to, std::string_view text) {
  put(to, static_cast<uint64_t>(text.size()));
  to += text;
}

std::string get_text(ByteReader& reader) { return std::string(reader.text(reader.number<uint64_t>())); }

std::string encode_facts(const std::vector<RunFact>& facts) {
  std::string text;
  for (const RunFact& fact : facts) {
    put_text(text, fact.name);
    put_text(text, fact.value);
  }
  return text;
}

std::vector<RunFact> decode_facts(std::span<const std::byte> bytes) {
  std::vector<RunFact> facts;
  for (ByteReader reader(bytes); !reader.at_end();) {
    std::string name = get_text(reader);
    facts.push_back({.name = std::move(name), .value = get_text(reader)});
  }
  return facts;
}

bool is_shown(const std::string& value) { return value.size() <= kMostShown && !value.starts_with('#'); }

/// "another model", "seed 1 instead of 0"; empty if they agree.
std::string difference(const RunFact& now, const std::vector<RunFact>& earlier) {
  const auto found = std::ranges::find(earlier, now.name, &RunFact::name);
  if (found == earlier.end()) {
    return "without a " + now.name;
  }
  if (found->value == now.value) {
    return "";
  }
  return is_shown(now.value) && is_shown(found->value)
             ? fmt::format("{} {} instead of {}", now.name, found->value, now.value)
             : "another " + now.name;
}

/// Error input that names all that differs.
void check_facts(const std::vector<RunFact>& now, const std::vector<RunFact>& earlier) {
  std::string text;
  for (const RunFact& fact : now) {
    const std::string found = difference(fact, earlier);
    text += (text.empty() || found.empty() ? "" : ", ") + found;
  }
  if (!text.empty()) {
    throw Error(Kind::input,
                "was begun with {}: a run goes on only as it was begun; without --resume, --force starts over", text);
  }
}

std::string encode(int64_t stage, std::string_view weight, const SolvedEntry& entry,
                   std::vector<std::span<const std::byte>>& blobs) {
  const Projected& projected = entry.projected;
  std::string head;
  put(head, stage);
  put_text(head, weight);
  put_text(head, entry.note);
  put_text(head, projected.note);
  put_text(head, projected.solver);
  const Solution solution = projected.solution.value_or(Solution{});
  put(head, int64_t{projected.solution ? 1 : 0});
  put(head, solution.signal);
  put(head, solution.noise);
  put(head, solution.zeros);
  put(head, int64_t{projected.output_error ? 1 : 0});
  put(head, projected.output_error.value_or(0));
  append_encoding(projected.encoding, head, blobs);
  return head;
}

/// The solver's name as its row has it; texts of a file do not live long enough.
std::string_view known_solver(const std::string& name) {
  const auto rows = solvers();
  const auto found = std::ranges::find(rows, name, &SolverRow::name);
  if (found == rows.end() && !name.empty()) {
    throw Error(Kind::input, "there is no solver '{}'", name);
  }
  return found == rows.end() ? std::string_view() : found->name;
}

std::pair<std::pair<int64_t, std::string>, SolvedEntry> decode(const Record& record) {
  ByteReader reader(record.head);
  const auto stage = reader.number<int64_t>();
  std::string weight = get_text(reader);
  SolvedEntry entry;
  entry.note = get_text(reader);
  entry.projected.note = get_text(reader);
  entry.projected.solver = known_solver(get_text(reader));
  const bool is_solved = reader.number<int64_t>() != 0;
  Solution solution;
  solution.signal = reader.number<double>();
  solution.noise = reader.number<double>();
  solution.zeros = reader.number<int64_t>();
  const bool is_judged = reader.number<int64_t>() != 0;
  const auto output_error = reader.number<double>();
  entry.projected.solution = is_solved ? std::optional(solution) : std::nullopt;
  entry.projected.output_error = is_judged ? std::optional(output_error) : std::nullopt;
  entry.projected.encoding = read_encoding(reader, record);
  return {{stage, std::move(weight)}, entry};
}

int64_t total_bytes(std::span<const std::span<const std::byte>> blobs) {
  return std::accumulate(blobs.begin(), blobs.end(), int64_t{0},
                         [](int64_t sum, const auto& blob) { return sum + std::ssize(blob); });
}

}  // namespace

SolvedJournal::SolvedJournal(std::filesystem::path path, std::vector<RunFact> facts)
    : path_(std::move(path)), facts_(std::move(facts)) {}

SolvedJournal SolvedJournal::resume(std::filesystem::path path, std::vector<RunFact> facts) {
  SolvedJournal journal(std::move(path), std::move(facts));
  if (!std::filesystem::exists(journal.path_)) {
    return journal;
  }
  if (auto file = RecordFile::open(journal.path_, kMagic)) {
    journal.file_.emplace(*std::move(file));
  }
  with_context(journal.path_.string(), [&] {
    if (!journal.file_) {
      throw Error(Kind::input, "is not what an interrupted run of terse leaves; without --resume, --force starts over");
    }
    journal.read(journal.file_->records());
  });
  return journal;
}

void SolvedJournal::read(const std::vector<Record>& records) {
  check_facts(facts_, decode_facts(records.front().head));
  for (size_t i = 1; i < records.size(); ++i) {
    with_context(fmt::format("record {}", i), [&] {
      auto [key, entry] = decode(records[i]);
      entries_.insert_or_assign(std::move(key), std::move(entry));
    });
  }
}

bool SolvedJournal::has(int64_t stage, std::string_view weight) const {
  return entries_.contains({stage, std::string(weight)});
}

std::optional<SolvedEntry> SolvedJournal::find(int64_t stage, std::string_view weight, const Shape& shape) const {
  const auto found = entries_.find({stage, std::string(weight)});
  if (found == entries_.end()) {
    return std::nullopt;
  }
  if (const Shape& stored = found->second.projected.encoding.shape; stored != shape) {
    throw Error(Kind::input, "{}: has it as {}, expected {}", path_.string(), to_string(stored), to_string(shape));
  }
  return found->second;
}

void SolvedJournal::add(int64_t stage, std::string_view weight, SolvedEntry& entry) {
  if (failure_) {
    return;
  }
  try {
    if (!file_) {
      file_.emplace(RecordFile::create(path_, kMagic, encode_facts(facts_)));
    }
    std::vector<std::span<const std::byte>> blobs;
    const std::string head = encode(stage, weight, entry, blobs);
    const Record record = file_->append(head, blobs);
    if (total_bytes(blobs) >= kKeptBytes) {
      entry = decode(record).second;
    }
  } catch (const Error& error) {
    failure_ = error;
  }
}

void SolvedJournal::remove() noexcept {
  std::error_code ignored;
  if (file_) {
    std::filesystem::remove(path_, ignored);
  }
}

bool is_journal(const std::filesystem::path& path) {
  std::string text(kMagic.size(), '\0');
  std::ifstream file(path, std::ios::binary);
  return file.read(text.data(), static_cast<std::streamsize>(text.size())) && text == kMagic;
}

}  // namespace terse::passes
