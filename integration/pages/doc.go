// Package pages tests the pages of a running gateway as people use them who
// have no mouse, or type what they mean and not what a program expects, along
// each way through the second factor. What every state of a page looks like is
// tested in module/pages.
package pages
