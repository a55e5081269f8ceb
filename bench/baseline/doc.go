// Package baseline holds the two programs that Outcrop is measured against: the least that any gateway in front of
// Bedrock must do (relay and sign), and the least that any translator must do beside that.
package baseline
