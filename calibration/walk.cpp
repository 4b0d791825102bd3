#include "calibration/walk.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

#include "calibration/broken_origin.h"
#include "calibration/parallel.h"
#include "calibration/routed_rows.h"
#include "calibration/sample_rows.h"
#include "calibration/stream.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

constexpr int64_t kBatch = 8;  // samples whose barrier values are held in f32 at once, at most
constexpr int64_t kBatchPerThread = 2;
constexpr int64_t kHeldOut = 8;               // every so manieth sample judges
constexpr int64_t kSegmentNumbers = 1 << 23;  // of weights between two stops, or little more: what is held decoded

void finish(Statistics& statistics) {
  statistics.solving.finish();
  statistics.held_out.finish();
  statistics.solving_drift.finish();
  statistics.held_out_drift.finish();
}

/// The outputs that are worth computing: not the keys and values that a cache would take. What is to be kept besides.
std::vector<std::string> roots_of(const Graph& graph, std::vector<std::string> roots) {
  for (const ValueId id : graph.main.outputs) {
    if (!graph.value(id).name.starts_with("present")) {
      roots.push_back(graph.value(id).name);
    }
  }
  return roots;
}

std::vector<ValueId> linear_weights(const Plan& plan) {
  std::vector<ValueId> weights;
  for (const Step& step : plan.steps()) {
    if (step.packed_weight != kNoValue) {
      weights.push_back(step.packed_weight);
    }
  }
  return weights;
}

}  // namespace

class Walk::Impl {
 public:
  Impl(const Model& model, const std::vector<Sample>& samples, const std::vector<ValueId>& weights, ScarceRows scarce,
       Uses uses, Sums sums)
      : routed_(model.graph, weights),
        plan_(model, roots_of(model.graph, routed_.kept_values(model.graph)), Residency::keep, fast_precision()),
        original_plan_(model, roots_of(model.graph, routed_.kept_values(model.graph)), Residency::keep,
                       fast_precision()),
        barriers_(find_barriers(plan_, weights, uses)),
        stops_(find_barriers(plan_, linear_weights(plan_), Uses::each)),
        sums_(sums),
        samples_(samples),
        shared_(plan_, samples),
        stream_(plan_, samples, shared_),
        original_(original_plan_, samples, shared_),
        scarce_(scarce) {
    routed_.set_barriers(plan_, barriers_);
  }

  const std::vector<Barrier>& barriers() const { return barriers_; }
  void skip_statistics(const std::vector<ValueId>& weights) { skipped_.insert(weights.begin(), weights.end()); }
  double done() const { return static_cast<double>(stream_.next()) / static_cast<double>(plan_.steps().size()); }

  void replace(ValueId weight, EncodingPtr encoding) {
    if (plan_.constants().find(weight) == encoding.get()) {
      return;
    }
    if (!is_changed_) {
      original_.join(stream_);
      is_changed_ = true;
    }
    plan_.constants().replace(weight, std::move(encoding));
  }

  /// Barriers from this one on that all samples can be run through without a stop: nothing is replaced between them,
  /// and their weights are held at once.
  std::span<const Barrier> group_from(size_t first) const {
    size_t end = first + 1;
    while (sums_ == Sums::squares && end < barriers_.size() &&
           segment_end(barriers_[end].step) == barriers_[end].step) {
      ++end;
    }
    return std::span(barriers_).subspan(first, end - first);
  }

  /// With Sums::squares: runs all samples through the barriers.
  std::vector<Statistics> pass_barriers(std::span<const Barrier> group, const std::function<void(double)>& report) {
    pass_segments(group.front().step, report);
    std::vector<Statistics> statistics;
    for (const Barrier& barrier : group) {
      statistics.push_back(make_statistics(plan_.constants().find(barrier.weights.front())->columns()));
    }
    run_batches<std::vector<SampleRows>>([&](size_t index) { return run_through(index, group); },
                                         [&](const std::vector<SampleRows>& sample, size_t index) {
                                           for (size_t i = 0; i < group.size(); ++i) {
                                             check_finite(sample[i], index, group[i]);
                                             statistics[i].rows += std::ssize(sample[i].weights);
                                             add(sample[i], false, statistics[i]);
                                           }
                                         });
    stream_.arrive(group.back().step);
    return statistics;
  }

  /// Runs all samples up to the barrier.
  Statistics advance(const Barrier& barrier, const std::function<void(double)>& report) {
    pass_segments(barrier.step, report);
    rest_ = find_rest(barrier);
    is_over_ = &barrier == &barriers_.back() && routed_.find(barrier) == nullptr;
    const bool is_wanted = wants(barrier);
    const int64_t columns = is_wanted ? plan_.constants().find(barrier.weights.front())->columns() : 0;
    Statistics statistics = make_statistics(columns);
    double tokens = 0, weight = 0;
    add_samples(
        statistics, [&](size_t index) { return run_sample(index, barrier); },
        [&](const SampleRows& rows, size_t index) {
          check_finite(rows, index, barrier);
          statistics.rows += std::ssize(rows.weights);
          tokens += static_cast<double>(rows.tokens);
          weight = std::accumulate(rows.weights.begin(), rows.weights.end(), weight);
        });
    const Routing* routing = routed_.find(barrier);
    if (is_wanted && routing != nullptr && scarce_ == ScarceRows::fill_up && statistics.solving.rows() < columns) {
      const double rows = static_cast<double>(statistics.solving.rows() + statistics.held_out.rows());
      fill_up(barrier, *routing, tokens, rows > 0 ? weight / rows : 1, statistics);
    }
    finish(statistics);
    stream_.arrive(barrier.step);
    if (is_changed_) {
      original_.arrive(rest_);
    }
    return statistics;
  }

 private:
  Statistics make_statistics(int64_t columns) const {
    const int64_t products = sums_ == Sums::squares ? 0 : columns, squares = sums_ == Sums::products ? 0 : columns;
    const Precision precision = fast_precision();
    return {.solving = Gram(products, precision),
            .held_out = Gram(products, precision),
            .solving_drift = Drift(products, precision),
            .held_out_drift = Drift(products, precision),
            .squares = std::vector<double>(static_cast<size_t>(squares))};
  }

  void add(const SampleRows& rows, bool judges, Statistics& statistics) const {
    if (!rows.squares.empty()) {
      std::ranges::transform(statistics.squares, rows.squares, statistics.squares.begin(), std::plus<>());
    }
    if (sums_ == Sums::squares) {
      return;
    }
    const std::span<const float> values = rows.values.values<float>();
    (judges ? statistics.held_out : statistics.solving).add(values, rows.weights);
    if (!rows.originals.empty()) {
      Drift& drift = judges ? statistics.held_out_drift : statistics.solving_drift;
      drift.add(values, rows.originals.values<float>(), rows.weights);
    }
  }

  /// Where to stop on the way to a barrier that is far, so that not all weights up to it are held at once: in front of
  /// other linears, where a walk by all weights would stop.
  size_t segment_end(size_t last) const {
    int64_t numbers = 0;
    size_t counted = stream_.next();
    for (const Barrier& stop : stops_) {
      for (; counted < std::min(stop.step, last); ++counted) {
        if (const ValueId weight = plan_.steps()[counted].packed_weight; weight != kNoValue) {
          const Encoding& encoding = *plan_.constants().find(weight);
          numbers += encoding.rows() * encoding.columns();
        }
      }
      if (numbers >= kSegmentNumbers) {
        return counted;
      }
    }
    return last;
  }

  void pass_segments(size_t last, const std::function<void(double)>& report) {
    for (size_t end = segment_end(last); end < last; end = segment_end(last)) {
      pass_segment(end);
      if (report) {
        report(done());
      }
    }
  }

  void pass_segment(size_t end) {
    parallel_for(std::ssize(samples_), [&](int64_t i) {
      (void)come_to(end, stream_, static_cast<size_t>(i));
      if (is_original_behind(end)) {
        (void)come_to(end, original_, static_cast<size_t>(i));
      }
    });
    stream_.arrive(end);
    if (is_original_behind(end)) {
      original_.arrive(end);
    }
  }

  bool is_original_behind(size_t step) const { return is_changed_ && original_.next() < step; }

  /// Where the original model's samples are to wait for the next barrier. Nothing in there will be replaced, so it may
  /// be anywhere in between.
  size_t find_rest(const Barrier& barrier) const {
    const auto next = static_cast<size_t>(&barrier - barriers_.data()) + 1;
    return is_changed_ && next < barriers_.size() && !samples_.empty()
               ? original_.find_narrowest(0, barrier.step, barriers_[next].step)
               : barrier.step;
  }

  /// Runs samples at once, and shows what they give in their order.
  template <typename Result>
  void run_batches(const std::function<Result(size_t)>& run, const std::function<void(const Result&, size_t)>& see) {
    const auto count = static_cast<int64_t>(samples_.size());
    const int64_t at_once = std::min(kBatch, kBatchPerThread * thread_count());
    for (int64_t first = 0; first < count; first += at_once) {
      std::vector<Result> batch(static_cast<size_t>(std::min(at_once, count - first)));
      parallel_for(static_cast<int64_t>(batch.size()),
                   [&](int64_t i) { batch[static_cast<size_t>(i)] = run(static_cast<size_t>(first + i)); });
      for (size_t i = 0; i < batch.size(); ++i) {
        see(batch[i], static_cast<size_t>(first) + i);
      }
    }
  }

  /// Adds every eighth sample's rows to those that judge, the others' to those that are solved from, in their order.
  void add_samples(Statistics& statistics, const std::function<SampleRows(size_t)>& run,
                   const std::function<void(const SampleRows&, size_t)>& see) {
    const auto count = static_cast<int64_t>(samples_.size());
    run_batches<SampleRows>(run, [&](const SampleRows& rows, size_t index) {
      if (!rows.values.empty()) {
        see(rows, index);
        const bool judges = count >= kHeldOut && static_cast<int64_t>(index) % kHeldOut == kHeldOut - 1;
        add(rows, judges, statistics);
      }
    });
  }

  /// Adds what the expert would see if all tokens were routed to it, as so many rows as it lacks columns.
  void fill_up(const Barrier& barrier, const Routing& routing, double tokens, double weight, Statistics& statistics) {
    const int64_t columns = statistics.solving.columns(), rows = statistics.solving.rows();
    statistics.note = "fewer rows are routed to it than it has columns, filled up with what it would see of all tokens";
    const double factor = weight * static_cast<double>(columns - rows) / std::max(tokens, 1.0);
    const std::vector<size_t> inside = RoutedRows::steps_inside(routing, barrier, plan_);
    add_samples(
        statistics,
        [&](size_t index) {
          Frame frame = stream_.kept(index).frame;
          const Tensor value = RoutedRows::for_all_tokens(routing, barrier, inside, plan_, frame);
          std::vector<float> weights = weigh_rows(rows_of(value), {}, samples_[index]);
          for (float& counted : weights) {
            counted *= static_cast<float>(factor);
          }
          return select_counted(value, weights);
        },
        [](const SampleRows& /*rows*/, size_t /*index*/) {});
  }

  SampleRows run_sample(size_t index, const Barrier& barrier) {
    const Stream::Arrival arrival = come_to(barrier.step, stream_, index);
    const Tensor original = is_changed_ ? run_original(index, barrier) : Tensor();
    SampleRows rows = wants(barrier) ? gather_rows(barrier, arrival, original, samples_[index]) : SampleRows();
    if (!rows.values.empty()) {
      look_at(rows);
    }
    return rows;
  }

  /// Sums its squares if they are asked for, and says whether all is finite.
  void look_at(SampleRows& rows) const {
    const std::span<const float> values = rows.values.values<float>();
    if (sums_ != Sums::products) {
      rows.squares = column_squares(values, rows.values.shape().back());
    }
    const bool has_finite_squares = !rows.squares.empty() && is_finite(rows.squares);
    rows.finite = has_finite_squares || is_finite(values);
  }

  /// What a sample brings to each of the barriers; of its rows the squares alone.
  std::vector<SampleRows> run_through(size_t index, std::span<const Barrier> group) {
    Stream::Arrival arrival = stream_.kept(index);
    std::vector<SampleRows> all;
    size_t step = stream_.next();
    for (const Barrier& barrier : group) {
      stream_.go_on(arrival, step, barrier.step);
      step = barrier.step;
      all.push_back(gather_rows(barrier, arrival, {}, samples_[index]));
      look_at(all.back());
      all.back().values = {};
    }
    std::erase_if(arrival.live, [&](ValueId id) { return routed_.is_done_with(id, step); });
    stream_.keep(index, arrival);
    return all;
  }

  Stream::Arrival come_to(size_t step, Stream& stream, size_t index) const {
    Stream::Arrival arrival = stream.run(index, step);
    keep(step, stream, index, arrival);
    return arrival;
  }

  void keep(size_t step, Stream& stream, size_t index, Stream::Arrival& arrival) const {
    std::erase_if(arrival.live, [&](ValueId id) { return routed_.is_done_with(id, step); });
    stream.keep(index, is_over_ ? Stream::Arrival() : arrival);
  }

  /// What the original model has at the barrier.
  Tensor run_original(size_t index, const Barrier& barrier) {
    Stream::Arrival arrival = original_.run(index, barrier.step);
    Tensor value = original_plan_.read(barrier.value, arrival.frame);
    original_.go_on(arrival, barrier.step, rest_);
    keep(rest_, original_, index, arrival);
    return value;
  }

  bool wants(const Barrier& barrier) const {
    return !std::ranges::all_of(barrier.weights, [&](ValueId id) { return skipped_.contains(id); });
  }

  /// Rows that are routed now need not be those that were: of an expert's there is no original.
  SampleRows gather_rows(const Barrier& barrier, const Stream::Arrival& arrival, const Tensor& original,
                         const Sample& sample) const {
    const Frame& frame = arrival.frame;
    const Tensor& value = plan_.read(barrier.value, frame);
    const Routing* routing = routed_.find(barrier);
    if (routing == nullptr) {
      return calibration::gather_rows(value, original, passing(arrival, barrier.value), sample);
    }
    const std::vector<float> by_row =
        weigh_rows(rows_of(plan_.read(routing->all, frame)), passing(arrival, routing->all), sample);
    CountedRows counted = RoutedRows::counted(*routing, plan_, frame, by_row);
    Tensor values = select_rows(to_f32(value), value.shape().back(), counted.rows);
    return {.values = std::move(values),
            .originals = {},
            .weights = std::move(counted.weights),
            .tokens = std::ssize(by_row) - std::ranges::count(by_row, 0.0F),
            .squares = {}};
  }

  /// The values beside this one, by which tokens are weighed, if they are.
  std::vector<Tensor> passing(const Stream::Arrival& arrival, ValueId value) const {
    std::vector<Tensor> values;
    for (const ValueId id : arrival.live) {
      if (id != value && sums_ != Sums::squares) {
        values.push_back(arrival.frame[static_cast<size_t>(id)]);
      }
    }
    return values;
  }

  /// Not while samples run.
  void check_finite(const SampleRows& rows, size_t sample, const Barrier& barrier) {
    if (!rows.finite) {
      throw explain_broken(plan_, samples_[sample], barrier.value, barrier.step)
          .within(fmt::format("calibration sample {}", sample));
    }
  }

  RoutedRows routed_;
  Plan plan_, original_plan_;
  std::vector<Barrier> barriers_;
  std::vector<Barrier> stops_;  ///< in front of every linear of the graph
  Sums sums_;
  const std::vector<Sample>& samples_;
  SharedValues shared_;
  Stream stream_, original_;  ///< with the weights as they are now; as they were: of use once some are replaced
  bool is_changed_ = false;
  bool is_over_ = false;       ///< nobody asks for samples again
  size_t rest_ = 0;            ///< where the original's samples wait once they have been at the barrier
  std::set<ValueId> skipped_;  ///< weights of whose inputs nobody asks
  ScarceRows scarce_;
};

Walk::Walk(const Model& model, const std::vector<Sample>& samples, const std::vector<ValueId>& weights,
           ScarceRows scarce, Uses uses, Sums sums)
    : impl_(std::make_unique<Impl>(model, samples, weights, scarce, uses, sums)) {}
Walk::~Walk() = default;

const std::vector<Barrier>& Walk::barriers() const { return impl_->barriers(); }

void Walk::replace(ValueId weight, EncodingPtr encoding) { impl_->replace(weight, std::move(encoding)); }

void Walk::skip_statistics(const std::vector<ValueId>& weights) { impl_->skip_statistics(weights); }

void Walk::run(const std::function<void(const Barrier&, const Statistics&)>& visit,
               const std::function<void(double)>& report) {
  for (size_t next = 0; next < barriers().size();) {
    const std::span<const Barrier> group = impl_->group_from(next);
    next += group.size();
    if (group.size() == 1) {
      visit(group.front(), impl_->advance(group.front(), report));
      continue;
    }
    const std::vector<Statistics> statistics = impl_->pass_barriers(group, report);
    for (size_t i = 0; i < group.size(); ++i) {
      visit(group[i], statistics[i]);
    }
    if (report) {
      report(impl_->done());
    }
  }
}

double Walk::done() const { return impl_->done(); }

}  // namespace terse::calibration
