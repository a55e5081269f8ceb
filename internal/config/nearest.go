package config

import "strings"

// Nearest returns the known name that name was probably meant to be, or "" when none is near.
// Near is a Damerau–Levenshtein distance (insert, delete, replace, swap of two neighbours) of at most 2, of at most 1
// for names of three or four characters; shorter names have no neighbours. Case is ignored in finding the name.
// Of several equally near names the first in the list wins.
func Nearest(name string, known []string) string {
	limit := 2
	switch n := len(name); {
	case n < 3:
		limit = 0
	case n < 5:
		limit = 1
	}
	best, distance := "", limit+1
	lower := strings.ToLower(name)
	for _, k := range known {
		if d := editDistance(lower, strings.ToLower(k), distance); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// editDistance returns the optimal string alignment distance of a and b in bytes, or limit if it is not below limit.
func editDistance(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		smallest := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			smallest = min(smallest, row[j])
		}
		if smallest >= limit {
			return limit
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], limit)
}
