//! The functions of `PromQL` that are understood, by family, with their names.
//! What a function needs and gives is checked by the parser; what it computes stands in `eval`.

/// One value for each row, from the points of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is named as PromQL names it, see FUNCTIONS")]
pub enum Over {
    Rate,
    Increase,
    Delta,
    Irate,
    Idelta,
    Deriv,
    PredictLinear,
    Smoothing,
    Changes,
    Resets,
    Avg,
    Sum,
    Min,
    Max,
    Count,
    First,
    Last,
    Present,
    Absent,
    Stddev,
    Stdvar,
    Mad,
    Quantile,
    TimeOfFirst,
    TimeOfLast,
    TimeOfMin,
    TimeOfMax,
}

/// One number from one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is named as PromQL names it, see FUNCTIONS")]
pub enum Each {
    Abs,
    Acos,
    Acosh,
    Asin,
    Asinh,
    Atan,
    Atanh,
    Ceil,
    Cos,
    Cosh,
    Deg,
    Exp,
    Floor,
    Ln,
    Log10,
    Log2,
    Rad,
    Sgn,
    Sin,
    Sinh,
    Sqrt,
    Tan,
    Tanh,
}

/// A part of a date in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is named as PromQL names it, see FUNCTIONS")]
pub enum DatePart {
    Minute,
    Hour,
    DayOfWeek,
    DayOfMonth,
    DayOfYear,
    DaysInMonth,
    Month,
    Year,
}

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is named as PromQL names it, see FUNCTIONS")]
pub enum Function {
    Over(Over),
    Each(Each),
    Date(DatePart),
    Absent,
    Clamp,
    ClampMax,
    ClampMin,
    End,
    HistogramFraction,
    HistogramQuantile,
    HistogramQuantiles,
    LabelJoin,
    LabelReplace,
    MaxOf,
    MinOf,
    Pi,
    /// `range()`: the span of the query in seconds.
    QueryRange,
    Round,
    Scalar,
    Sort,
    SortByLabel,
    SortByLabelDesc,
    SortDesc,
    Start,
    Step,
    Time,
    Timestamp,
    Vector,
}

/// Every function with its name.
pub const FUNCTIONS: &[(&str, Function)] = &[
    ("abs", Function::Each(Each::Abs)),
    ("absent", Function::Absent),
    ("absent_over_time", Function::Over(Over::Absent)),
    ("acos", Function::Each(Each::Acos)),
    ("acosh", Function::Each(Each::Acosh)),
    ("asin", Function::Each(Each::Asin)),
    ("asinh", Function::Each(Each::Asinh)),
    ("atan", Function::Each(Each::Atan)),
    ("atanh", Function::Each(Each::Atanh)),
    ("avg_over_time", Function::Over(Over::Avg)),
    ("ceil", Function::Each(Each::Ceil)),
    ("changes", Function::Over(Over::Changes)),
    ("clamp", Function::Clamp),
    ("clamp_max", Function::ClampMax),
    ("clamp_min", Function::ClampMin),
    ("cos", Function::Each(Each::Cos)),
    ("cosh", Function::Each(Each::Cosh)),
    ("count_over_time", Function::Over(Over::Count)),
    ("day_of_month", Function::Date(DatePart::DayOfMonth)),
    ("day_of_week", Function::Date(DatePart::DayOfWeek)),
    ("day_of_year", Function::Date(DatePart::DayOfYear)),
    ("days_in_month", Function::Date(DatePart::DaysInMonth)),
    ("deg", Function::Each(Each::Deg)),
    ("delta", Function::Over(Over::Delta)),
    ("deriv", Function::Over(Over::Deriv)),
    ("double_exponential_smoothing", Function::Over(Over::Smoothing)),
    ("end", Function::End),
    ("exp", Function::Each(Each::Exp)),
    ("first_over_time", Function::Over(Over::First)),
    ("floor", Function::Each(Each::Floor)),
    ("histogram_fraction", Function::HistogramFraction),
    ("histogram_quantile", Function::HistogramQuantile),
    ("histogram_quantiles", Function::HistogramQuantiles),
    ("hour", Function::Date(DatePart::Hour)),
    ("idelta", Function::Over(Over::Idelta)),
    ("increase", Function::Over(Over::Increase)),
    ("irate", Function::Over(Over::Irate)),
    ("label_join", Function::LabelJoin),
    ("label_replace", Function::LabelReplace),
    ("last_over_time", Function::Over(Over::Last)),
    ("ln", Function::Each(Each::Ln)),
    ("log10", Function::Each(Each::Log10)),
    ("log2", Function::Each(Each::Log2)),
    ("mad_over_time", Function::Over(Over::Mad)),
    ("max_of", Function::MaxOf),
    ("max_over_time", Function::Over(Over::Max)),
    ("min_of", Function::MinOf),
    ("min_over_time", Function::Over(Over::Min)),
    ("minute", Function::Date(DatePart::Minute)),
    ("month", Function::Date(DatePart::Month)),
    ("pi", Function::Pi),
    ("predict_linear", Function::Over(Over::PredictLinear)),
    ("present_over_time", Function::Over(Over::Present)),
    ("quantile_over_time", Function::Over(Over::Quantile)),
    ("rad", Function::Each(Each::Rad)),
    ("range", Function::QueryRange),
    ("rate", Function::Over(Over::Rate)),
    ("resets", Function::Over(Over::Resets)),
    ("round", Function::Round),
    ("scalar", Function::Scalar),
    ("sgn", Function::Each(Each::Sgn)),
    ("sin", Function::Each(Each::Sin)),
    ("sinh", Function::Each(Each::Sinh)),
    ("sort", Function::Sort),
    ("sort_by_label", Function::SortByLabel),
    ("sort_by_label_desc", Function::SortByLabelDesc),
    ("sort_desc", Function::SortDesc),
    ("sqrt", Function::Each(Each::Sqrt)),
    ("start", Function::Start),
    ("stddev_over_time", Function::Over(Over::Stddev)),
    ("stdvar_over_time", Function::Over(Over::Stdvar)),
    ("step", Function::Step),
    ("sum_over_time", Function::Over(Over::Sum)),
    ("tan", Function::Each(Each::Tan)),
    ("tanh", Function::Each(Each::Tanh)),
    ("time", Function::Time),
    ("timestamp", Function::Timestamp),
    ("ts_of_first_over_time", Function::Over(Over::TimeOfFirst)),
    ("ts_of_last_over_time", Function::Over(Over::TimeOfLast)),
    ("ts_of_max_over_time", Function::Over(Over::TimeOfMax)),
    ("ts_of_min_over_time", Function::Over(Over::TimeOfMin)),
    ("vector", Function::Vector),
    ("year", Function::Date(DatePart::Year)),
];

impl Function {
    /// The function with this name, if it is understood.
    pub fn parse(name: &str) -> Option<Self> {
        let at = FUNCTIONS.binary_search_by_key(&name, |(known, _)| known).ok()?;
        FUNCTIONS.get(at).map(|(_, function)| *function)
    }

    /// As `PromQL` writes it.
    pub fn name(self) -> &'static str {
        FUNCTIONS.iter().find(|(_, function)| *function == self).map_or("", |(name, _)| name)
    }

    /// Whether its arguments must be counters (`rate`, `increase`, `irate`, `resets`).
    pub const fn wants_counter(self) -> bool {
        matches!(self, Self::Over(Over::Rate | Over::Increase | Over::Irate | Over::Resets))
    }

    /// Whether it makes no sense over a counter (`delta`, `idelta`, `deriv`, `predict_linear` and the like).
    pub const fn wants_gauge(self) -> bool {
        matches!(self, Self::Over(Over::Delta | Over::Idelta | Over::Deriv | Over::PredictLinear | Over::Smoothing))
    }

    /// Whether its value depends on the time of evaluation itself, whatever its arguments are.
    pub(super) const fn reads_time(self) -> bool {
        matches!(self, Self::Time | Self::Timestamp | Self::Date(_) | Self::Over(Over::PredictLinear))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_name_comes_back() {
        assert!(FUNCTIONS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (name, function) in FUNCTIONS {
            assert_eq!(Function::parse(name), Some(*function));
            assert_eq!(function.name(), *name);
        }
    }
}
