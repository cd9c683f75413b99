//! The control plane against a fake xenstored, with libxl and Linux' frontend played by the fakes.

mod dom0;
mod hostile;
mod life;
mod limits;
mod masters;
mod policies;
mod published;
mod reattach;
mod site;
