# The versions of the tools that the checks use. They are built from source with the project's own Go; none of them is in go.mod,
# so none of them can come into the binary.
golangci_lint_version=v2.15.0
gofumpt_version=v0.12.0
govulncheck_version=v1.9.0

# The oldest programs that do.
python_minimum=3.10
node_minimum=20
