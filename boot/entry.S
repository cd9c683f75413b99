# Entry and exception stubs of the audio domain.
#
# A PV guest starts in 64-bit mode at ring 3 with its own page tables, rsi = start_info, and a
# one-page stack that the domain builder placed last. bss is zero: the builder clears it.

    .section .text.entry, "ax"
    .global _start
_start:
    rdtsc                           # the guest clock's own counter: boot time starts here
    shl rdx, 32
    or rdx, rax
    mov rdi, rsi                    # start_info
    mov rsi, rsp                    # everything above the builder's stack is free memory
    lea rsp, [rip + stack_top]
    xor ebp, ebp
    cld
    call start
    ud2

# Every exception is fatal. Xen's frame is rcx, r11, [error code], rip, cs, rflags, rsp, ss; the
# stubs make one shape of it: all registers, vector, error code, rip, cs, rflags, rsp, ss.
    .section .text.traps, "ax"
    .macro trap vector, error=0
    .balign 16
    pop rcx
    pop r11
    .if \error == 0
    push 0
    .endif
    push \vector
    jmp trap_common
    .endm

    .balign 16
    .global trap_stubs
trap_stubs:
    trap 0
    trap 1
    trap 2
    trap 3
    trap 4
    trap 5
    trap 6
    trap 7
    trap 8, 1
    trap 9
    trap 10, 1
    trap 11, 1
    trap 12, 1
    trap 13, 1
    trap 14, 1
    trap 15
    trap 16
    trap 17, 1
    trap 18
    trap 19
    trap 20
    trap 21, 1

trap_common:
    push rax
    push rbx
    push rcx
    push rdx
    push rsi
    push rdi
    push rbp
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
    mov rdi, rsp
    and rsp, -16
    cld
    call trap
    ud2

# The page below the stack is unmapped at start-up: an overflow ends the domain at once.
    .section .bss.stack, "aw", @nobits
    .balign 4096
    .global stack_guard
stack_guard:
    .skip 4096
    .skip 131072
    .global stack_top
stack_top:

    .section .note.GNU-stack, "", @progbits
