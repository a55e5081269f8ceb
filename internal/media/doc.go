// Package media knows what images, documents, videos and audio clips are: the MIME types and file endings of the
// formats that Bedrock takes, the first bytes that give a format away, and data URLs.
//
// In goes what a client wrote (a data URL, base64, a file name), out comes an llm.Media with AWS's short format name
// and standard base64. The package never reads a network or a disk. Start reading at [FromDataURL].
package media
