//! Guests' pages and event channels, as the backend asks for them.

use crate::event;
use crate::grant::{self, MappedPage};
use ring_backend::world::{
    ClaimedRef, DomId, EventFault, GrantFault, Holding, LocalPort, RemotePort, World,
};

/// The real world: Xen.
pub struct Xen;

impl World for Xen {
    type Page = MappedPage;

    fn map(&mut self, dom: DomId, gref: ClaimedRef) -> Result<MappedPage, GrantFault> {
        grant::map(dom, gref)
    }

    fn copy_from(
        &mut self,
        dom: DomId,
        buffer: &[ClaimedRef],
        offset: usize,
        into: &mut [u8],
    ) -> Result<(), GrantFault> {
        grant::copy_from(dom, buffer, offset, into)
    }

    fn copy_to(
        &mut self,
        dom: DomId,
        buffer: &[ClaimedRef],
        offset: usize,
        from: &[u8],
    ) -> Result<(), GrantFault> {
        grant::copy_to(dom, buffer, offset, from)
    }

    fn bind(&mut self, dom: DomId, remote: RemotePort) -> Result<LocalPort, EventFault> {
        event::bind(dom, remote).map_err(|errno| EventFault { errno: errno.0 })
    }

    fn close(&mut self, port: LocalPort) {
        event::close(port);
    }

    fn notify(&mut self, port: LocalPort) {
        event::notify(port);
    }

    fn take_event(&mut self, port: LocalPort) -> bool {
        event::take(port)
    }

    fn holding(&self) -> Holding {
        Holding {
            pages: grant::mapped(),
            ports: event::opened(),
        }
    }

    fn listen(&mut self, port: LocalPort, wanted: bool) -> bool {
        event::listen(port, wanted)
    }
}
