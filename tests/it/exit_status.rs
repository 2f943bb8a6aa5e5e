//! One server for each row of the table of exit statuses (P44).
