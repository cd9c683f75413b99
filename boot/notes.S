# What the domain builder wants to know (xen/include/public/elfnote.h).

    .macro note type, kind:vararg
    .balign 4
    .long 4, 3f - 2f, \type
    .asciz "Xen"
    .balign 4
2:  \kind
3:  .balign 4
    .endm

    .section .note.Xen, "a", @note
    note 6, .asciz "audiodom"                   # GUEST_OS
    note 8, .asciz "generic"                    # LOADER
    note 5, .asciz "xen-3.0"                    # XEN_VERSION
    note 3, .quad 0xffffffff80000000            # VIRT_BASE
    note 4, .quad 0xffffffff80000000            # PADDR_OFFSET: the ELF's physical addresses are virtual
    note 1, .quad _start                        # ENTRY
