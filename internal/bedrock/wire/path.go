package wire

// ModelPath returns the escaped path of an operation on a model. The id is one label: every byte but RFC 3986's
// unreserved ones is escaped, the ":" of a version and the "/" of an ARN among them.
func ModelPath(id, operation string) string {
	return "/model/" + Label(id) + "/" + operation
}

const upperHex = "0123456789ABCDEF"

// Label escapes one label of a path.
func Label(s string) string {
	out := make([]byte, 0, len(s)+16)
	for i := range len(s) {
		c := s[i]
		if unreserved(c) {
			out = append(out, c)
		} else {
			out = append(out, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return string(out)
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}
