"""The passes: blocks of stored rows through the kernels, in constant memory."""
