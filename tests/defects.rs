//! The client manager that this crate grew out of: its six defects, each seen in a faithful copy
//! of it and gone here, and what it does right, which has to stay.

mod fixtures;

mod defects {
    mod gone;
    mod kept;
}
