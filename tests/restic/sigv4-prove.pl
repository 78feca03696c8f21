#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
# sigv4-prove.pl FILE: the test suite's own reading of Signature Version 4 against
# what Amazon has published; "ok - ..." or "not ok - ..." for each.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use SigV4 qw(signature parse_authorization);

open my $file, '<', $ARGV[0] or die "$ARGV[0]: $!\n";
local $/ = '';
while (my $block = <$file>)
  {
    my (%one, %headers, @query);
    for (split /\n/, $block)
      {
        next if /^#/;
        my ($key, $value) = split / /, $_, 2;
        if ($key eq 'header') { my ($name, $text) = split /:\s*/, $value, 2; $headers{lc $name} = $text }
        elsif ($key eq 'query') { push @query, $value }
        else { $one{$key} = $value }
      }
    next unless $one{name};
    my (undef, $date, $region, $service, $signed, $expected) = parse_authorization ($one{authorization});
    my @wire = ($one{method}, $one{path}, join ('&', @query), \%headers, $signed, $one{payload});
    my @scope = ($date, $region, $service, $headers{'x-amz-date'});
    my $got = signature (@wire, $one{secret}, @scope);
    print $got eq $expected ? '' : 'not ', "ok - the strict server computes the published signature of $one{name}\n";
    print signature (@wire, "$one{secret}x", @scope) ne $expected ? '' : 'not ', "ok - and another one with another secret\n";
  }
