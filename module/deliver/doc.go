// Package deliver sends mail and text messages: in the background, so that no
// request waits for a mail server, again when it did not work, and never with
// a passcode in the log. What they say comes from package pages.
package deliver
