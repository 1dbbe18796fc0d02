//! What holds of the types, whatever is in them: which cross threads, what they implement, which
//! sizes and alignments they take; and the limits of the builder.

mod fixtures;

mod shapes {
    mod builder;
    mod traits;
    mod values;
}
