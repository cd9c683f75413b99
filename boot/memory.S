# memcpy and its kin: the compiler calls them, and a domain has no C library.
#
# Every path reads what it needs at one end before it writes the other, so that copies of less
# than 16 octets, and forward copies to a lower address, may overlap.

    .section .text.memory, "ax"

    .global memcpy, memmove, memset, memcmp, bcmp

    .balign 16
memmove:
    mov rax, rdi
    sub rax, rsi
    cmp rax, rdx
    jb backward                     # the destination begins inside the source
memcpy:
    mov rax, rdi
    cmp rdx, 16
    jb small
    cmp rdx, 1024
    jae large
    movups xmm1, [rsi + rdx - 16]
    lea r8, [rdi + rdx - 16]
1:  movups xmm0, [rsi]
    movups [rdi], xmm0
    add rsi, 16
    add rdi, 16
    cmp rdi, r8
    jb 1b
    movups [r8], xmm1
    ret
large:
    mov rcx, rdx
    rep movsb
    ret
small:
    cmp edx, 8
    jae 1f
    cmp edx, 4
    jae 2f
    test edx, edx
    jz 3f
    movzx ecx, byte ptr [rsi]
    movzx r8d, byte ptr [rsi + rdx - 1]
    mov r10, rdx
    shr r10                         # the middle of three; of fewer, the last
    movzx r9d, byte ptr [rsi + r10]
    mov [rdi], cl
    mov [rdi + r10], r9b
    mov [rdi + rdx - 1], r8b
    ret
1:  mov rcx, [rsi]
    mov r8, [rsi + rdx - 8]
    mov [rdi], rcx
    mov [rdi + rdx - 8], r8
    ret
2:  mov ecx, [rsi]
    mov r8d, [rsi + rdx - 4]
    mov [rdi], ecx
    mov [rdi + rdx - 4], r8d
3:  ret

    .balign 16
backward:
    mov rax, rdi
    cmp rdx, 16
    jb small
    movups xmm1, [rsi]
    lea r8, [rdi + 16]
    add rsi, rdx
    add rdi, rdx
1:  movups xmm0, [rsi - 16]
    movups [rdi - 16], xmm0
    sub rsi, 16
    sub rdi, 16
    cmp rdi, r8
    ja 1b
    movups [rax], xmm1
    ret

    .balign 16
memset:
    mov rax, rdi
    movzx ecx, sil
    mov rsi, 0x0101010101010101
    imul rsi, rcx
    cmp rdx, 16
    jb 2f
    movq xmm0, rsi
    punpcklqdq xmm0, xmm0
    lea r8, [rdi + rdx - 16]
1:  movups [rdi], xmm0
    add rdi, 16
    cmp rdi, r8
    jb 1b
    movups [r8], xmm0
    ret
2:  cmp edx, 8
    jb 3f
    mov [rdi], rsi
    mov [rdi + rdx - 8], rsi
    ret
3:  test edx, edx
    jz 5f
4:  mov [rdi], sil
    inc rdi
    dec edx
    jnz 4b
5:  ret

    .balign 16
memcmp:
bcmp:
    xor eax, eax
1:  cmp rdx, 8
    jb 2f
    mov rcx, [rdi]
    mov r8, [rsi]
    cmp rcx, r8
    jne 4f
    add rdi, 8
    add rsi, 8
    sub rdx, 8
    jmp 1b
2:  test rdx, rdx
    jz 3f
    movzx eax, byte ptr [rdi]
    movzx ecx, byte ptr [rsi]
    inc rdi
    inc rsi
    dec rdx
    sub eax, ecx
    jz 2b
3:  ret
4:  bswap rcx                       # the first octet decides
    bswap r8
    cmp rcx, r8
    sbb eax, eax
    or eax, 1
    ret
