"""What several tests share: real servers, a client for apps in this process, plugins written on the fly, assertions."""
